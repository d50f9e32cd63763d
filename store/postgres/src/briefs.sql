-- As jobs.sql, without what may be large, and with how large it is. That is measured when the page is chosen.
SELECT id, state, kind, queue, tenant,
       octet_length(args::text)::bigint + coalesce(octet_length(result::text), 0)
           + coalesce(octet_length(metadata::text), 0) + coalesce(octet_length(error), 0) AS bytes
FROM (
    SELECT * FROM (
        SELECT id, state, created_at, kind, queue, args, tenant, tags, metadata, NULL::json AS result,
               (SELECT a.error FROM compline.job_attempt a WHERE a.job_id = job.id ORDER BY a.fence DESC LIMIT 1) AS error
        FROM compline.job
        UNION ALL
        SELECT id, state, created_at, kind, queue, args, tenant, tags, metadata, result, error
        FROM compline.job_history
    ) j
    WHERE ($1::uuid[] IS NULL OR id = ANY ($1))
      AND ($2::text IS NULL OR state = ANY ($2::compline.job_state[]))
      AND ($3::text[] IS NULL OR kind = ANY ($3))
      AND ($4::text[] IS NULL OR queue = ANY ($4))
      AND ($5::text[] IS NULL OR tenant = ANY ($5))
      AND ($6::text[] IS NULL OR tags @> $6)
      AND ($7::timestamptz IS NULL OR created_at >= $7)
      AND ($8::timestamptz IS NULL OR created_at < $8)
      AND ($9::text IS NULL OR position(lower($9) IN lower(error)) > 0)
      AND ($10::uuid IS NULL OR id < $10)
      AND ($12::text IS NULL OR tenant = $12)
    ORDER BY id DESC LIMIT $11
) page
ORDER BY id DESC
