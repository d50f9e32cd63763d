-- Remembers what is taken; a row less than marks says that somebody else was quicker. Everybody who writes several
-- writes them in the order of their bytes. Primary key of trigger_mark.
INSERT INTO compline.trigger_mark (source, mark, at, job_id)
SELECT $2, new.mark, coalesce($1::timestamptz, now()), new.job_id
FROM unnest($3::text[], $4::uuid[]) AS new (mark, job_id)
ORDER BY new.mark COLLATE "C"
ON CONFLICT (source, mark) DO NOTHING
