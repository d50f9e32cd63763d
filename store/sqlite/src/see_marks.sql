-- Which of these were taken; they count as seen now. Primary key of trigger_mark.
UPDATE trigger_mark SET at = ?3
WHERE source = ?1 AND mark IN (SELECT value FROM json_each(?2))
RETURNING mark
