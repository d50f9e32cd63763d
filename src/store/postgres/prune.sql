-- Finished jobs past their time, oldest first, with all that belongs to them. $2 limit, $3.. rules as
-- (kind or '', state, keep in microseconds; NULL keeps for ever); a kind's own rule goes before the
-- general one. Index: job_history_pkey in order of creation.
WITH rule AS (
    SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[]) AS r (kind, state, keep_us)
),
due AS (
    SELECT h.id FROM compline.job_history h
    CROSS JOIN LATERAL (
        SELECT r.keep_us FROM rule r
        WHERE r.state = h.state::text AND r.kind IN (h.kind, '') ORDER BY r.kind DESC LIMIT 1
    ) r
    WHERE h.finished_at < coalesce($1::timestamptz, now()) - r.keep_us * interval '1 microsecond'
    ORDER BY h.id LIMIT $2
),
gone AS (
    DELETE FROM compline.job_history h USING due d WHERE h.id = d.id RETURNING h.id, h.unique_key
),
attempts AS (DELETE FROM compline.job_attempt a USING gone g WHERE a.job_id = g.id),
steps AS (DELETE FROM compline.job_step s USING gone g WHERE s.job_id = g.id),
progress AS (DELETE FROM compline.job_progress p USING gone g WHERE p.job_id = g.id),
requests AS (DELETE FROM compline.cancel_request c USING gone g WHERE c.job_id = g.id),
keys AS (
    DELETE FROM compline.unique_key k USING gone g
    WHERE g.unique_key IS NOT NULL AND k.key = g.unique_key AND k.job_id = g.id AND k.release <> 'at'
),
lapsed AS (DELETE FROM compline.unique_key WHERE until <= coalesce($1::timestamptz, now())),
answered AS (
    -- A job that completed although somebody wanted it cancelled.
    DELETE FROM compline.cancel_request c
    WHERE NOT EXISTS (SELECT FROM compline.job j WHERE j.id = c.job_id)
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'system', 'job.prune', 'job', 'ok', array_agg(id)
    FROM gone HAVING count(*) > 0
)
SELECT count(*) FROM gone
