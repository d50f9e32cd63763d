-- Jobs that may run or run again, by id. Index: job_pkey; job_history_not_completed for those that a person may retry.
-- Arguments only where they matter: they may be large.
SELECT id, kind, queue, tenant, args, lane FROM (
    (SELECT id, kind, queue, tenant, CASE WHEN $3 THEN args END AS args, lane FROM compline.job WHERE id > $1::uuid ORDER BY id LIMIT $2::bigint)
    UNION ALL
    (SELECT id, kind, queue, tenant, CASE WHEN $3 THEN args END AS args, lane FROM compline.job_history
     WHERE state = 'cancelled' AND id > $1::uuid ORDER BY id LIMIT $2::bigint)
    UNION ALL
    (SELECT id, kind, queue, tenant, CASE WHEN $3 THEN args END AS args, lane FROM compline.job_history
     WHERE state = 'discarded' AND id > $1::uuid ORDER BY id LIMIT $2::bigint)
) j
ORDER BY id LIMIT $2::bigint
