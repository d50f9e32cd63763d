-- waiting -> available or scheduled when the last parent has ended. $2 children, $3 how many of their
-- parents ended. Index: job_pkey.
WITH freed AS (
    UPDATE compline.job j
    SET waits_for = j.waits_for - r.ended,
        state = CASE WHEN j.waits_for > r.ended THEN 'waiting'
                     WHEN j.run_at > coalesce($1::timestamptz, now()) THEN 'scheduled'
                     ELSE 'available' END::compline.job_state
    FROM unnest($2::uuid[], $3::smallint[]) AS r (id, ended)
    WHERE j.id = r.id AND j.state = 'waiting'
    RETURNING j.id, j.queue, j.state::text AS state
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'system', 'job.free', 'job', 'ok', array_agg(id)
    FROM freed WHERE state <> 'waiting' HAVING count(*) > 0
)
SELECT queue, state FROM freed
