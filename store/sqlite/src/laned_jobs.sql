-- Jobs that may run or run again, by id. Primary key of job; job_history_not_completed for those that a person may retry.
-- ?1 the last one before, ?2 how many, ?3 whether with their arguments, which may be large.
SELECT * FROM (
    SELECT * FROM (SELECT id, kind, queue, tenant, CASE WHEN ?3 THEN args ELSE 'null' END AS args, lane FROM job WHERE id > ?1 ORDER BY id LIMIT ?2)
    UNION ALL
    SELECT * FROM (SELECT id, kind, queue, tenant, CASE WHEN ?3 THEN args ELSE 'null' END AS args, lane FROM job_history
                   WHERE state = 'cancelled' AND state <> 'completed' AND id > ?1 ORDER BY id LIMIT ?2)
    UNION ALL
    SELECT * FROM (SELECT id, kind, queue, tenant, CASE WHEN ?3 THEN args ELSE 'null' END AS args, lane FROM job_history
                   WHERE state = 'discarded' AND state <> 'completed' AND id > ?1 ORDER BY id LIMIT ?2)
)
ORDER BY id LIMIT ?2
