-- A fire time has its job, and is remembered for whose the schedule is. Primary keys of schedule_fire and schedule.
INSERT INTO schedule_fire (schedule, fire_time, job_id, fired_at, tenant)
VALUES (?1, ?2, ?3, ?4, (SELECT tenant FROM schedule WHERE name = ?1))
