-- Schedules whose fire time has come, the longest due first. Index: schedule_due.
SELECT * FROM schedule WHERE next_fire <= ?1 ORDER BY next_fire LIMIT ?2
