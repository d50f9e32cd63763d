-- running -> available, scheduled or retryable: after a failure, a snooze, or a claim given back. Without
-- after_us the job keeps its place in the queue.
-- Index: job_pkey, one look-up per report.
WITH released AS (
    UPDATE compline.job j
    SET state = r.next::compline.job_state, worker = NULL, claimed_at = NULL,
        attempt = j.attempt - r.uncount,
        run_at = coalesce(coalesce($1::timestamptz, now()) + r.after_us * interval '1 microsecond', j.run_at),
        rank = coalesce(coalesce($1::timestamptz, now()) + r.after_us * interval '1 microsecond'
                        + (j.priority - 5) * interval '1 minute', j.rank)
    FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::bigint[], $7::smallint[], $8::text[], $9::bigint[],
                $10::text[], $11::text[])
        AS r (id, fence, next, after_us, uncount, ending, ran_us, error, log),
        -- The row as it was, for the attempt's record.
        compline.job o
    WHERE j.id = r.id AND o.id = r.id AND j.fence = r.fence AND j.state = 'running' AND j.worker = $2
    RETURNING j.id, j.fence, j.queue, o.claimed_at, o.attempt, r.next, r.ending, r.ran_us, r.error, r.log
),
attempts AS (
    INSERT INTO compline.job_attempt
        (job_id, fence, attempt, ending, worker, claimed_at, finished_at, ran_us, error, log)
    SELECT id, fence, attempt, ending, $2, claimed_at, coalesce($1::timestamptz, now()), ran_us, error, log::json
    FROM released WHERE ending <> 'given_back'
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'worker:' || $2, 'job.finish', 'job', ending, array_agg(id)
    FROM released GROUP BY ending
)
SELECT id, queue, next FROM released
