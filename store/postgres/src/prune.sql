-- One stretch of the history: the finished jobs in it that are past their time, with all that belongs to them,
-- and when the next of the others will be. $2 how many to delete, $3.. rules as (kind or '', state, keep in
-- microseconds; NULL keeps for ever); a kind's own rule goes before the general one. $6 the id before the
-- stretch, $7 its last, $8 how many rows to look at. Index: job_history_pkey, and one look-up per job deleted.
WITH clock AS (SELECT coalesce($1::timestamptz, now()) AS now),
rule AS (
    SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[]) AS r (kind, state, keep_us)
),
look AS MATERIALIZED (
    SELECT id, kind, state::text, finished_at FROM compline.job_history
    WHERE id > $6::uuid AND id <= $7::uuid ORDER BY id LIMIT $8::bigint
),
judged AS MATERIALIZED (
    SELECT l.id, l.finished_at + interval '1 microsecond'
                 * CASE WHEN own.state IS NULL THEN any_kind.keep_us ELSE own.keep_us END AS due
    FROM look l
    LEFT JOIN rule own ON own.kind = l.kind AND own.state = l.state
    LEFT JOIN rule any_kind ON any_kind.kind = '' AND any_kind.state = l.state
),
due AS (
    SELECT id FROM judged, clock WHERE due < now ORDER BY id LIMIT $2
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
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'system', 'job.prune', 'job', 'ok', array_agg(id)
    FROM gone HAVING count(*) > 0
)
SELECT now, (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM look) AS looked_at,
       (SELECT id FROM look ORDER BY id DESC LIMIT 1) AS last,
       (SELECT count(*) > $2 FROM judged WHERE due < now) AS more,
       (SELECT min(due) FROM judged WHERE due >= now) AS next
FROM clock
