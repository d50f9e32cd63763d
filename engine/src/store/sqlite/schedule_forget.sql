-- Primary key of schedule_fire.
DELETE FROM schedule_fire WHERE schedule = ?1
