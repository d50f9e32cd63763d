-- A fire time has its job. Primary key of schedule_fire.
INSERT INTO schedule_fire (schedule, fire_time, job_id, fired_at) VALUES (?1, ?2, ?3, ?4)
