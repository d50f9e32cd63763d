-- Marks below one of them. Primary key of trigger_mark.
DELETE FROM trigger_mark
WHERE source = ?1 AND mark IN (SELECT mark FROM trigger_mark WHERE source = ?1 AND mark < ?2 ORDER BY mark LIMIT ?3)
