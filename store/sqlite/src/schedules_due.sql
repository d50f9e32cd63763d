-- Schedules whose fire time has come, the longest due first. Index: schedule_due. ?3 is a JSON list of names and revisions.
SELECT * FROM schedule
WHERE next_fire <= ?1
  -- Few: those that this process cannot read.
  AND NOT EXISTS (SELECT 1 FROM json_each(?3) AS known
                  WHERE known.value ->> 0 = schedule.name AND known.value ->> 1 = schedule.revision)
ORDER BY next_fire LIMIT ?2
