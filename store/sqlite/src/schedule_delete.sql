-- Primary key of schedule.
DELETE FROM schedule WHERE name = ?1
