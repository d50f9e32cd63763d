-- Plain rows: no unique key, no parents. The audit entry is in the same statement.
WITH clock AS (SELECT coalesce($1::timestamptz, now()) AS now),
rows AS (
    INSERT INTO compline.job
        (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, tenant, tags, metadata)
    SELECT r.id,
           (CASE WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END)::compline.job_state,
           r.max_attempts, r.max_attempts, r.priority, d.due + (r.priority - 5) * interval '1 minute', d.due, c.now,
           r.kind, r.queue, r.args::json, r.tenant,
           CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END,
           r.metadata::json
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::smallint[], $8::smallint[], $9::timestamptz[],
                $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[])
        AS r (id, kind, queue, priority, max_attempts, run_at, after_us, args, tenant, tags, metadata)
    CROSS JOIN clock c
    CROSS JOIN LATERAL (
        -- A time in the past is now: it must not be a way to the front of the queue.
        SELECT greatest(c.now, coalesce(r.run_at, c.now + r.after_us * interval '1 microsecond')) AS due
    ) d
)
INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
SELECT c.now, $2, 'job.enqueue', $3, 'ok', $4::uuid[] FROM clock c
