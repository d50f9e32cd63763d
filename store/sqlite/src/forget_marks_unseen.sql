-- Marks that nobody has seen since. Primary key of trigger_mark, over all marks of the source.
DELETE FROM trigger_mark
WHERE source = ?1 AND mark IN (SELECT mark FROM trigger_mark WHERE source = ?1 AND at < ?2 LIMIT ?3)
