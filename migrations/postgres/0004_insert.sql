-- How the engine enqueues jobs that have no unique key and no parents. Both run with the rights of the caller, who
-- must be allowed to write to the tables. `insert_plain` is one statement, and
-- `insert_and_wake` is the same with a commit of its own, after which it tells the workers.
--
-- Told within the transaction that inserts, workers would be told as soon; but a commit that carries a
-- notification holds a lock over the whole database until it is on the disk (and on the standby, where one
-- is waited for), so everybody who enqueues would stand in one line. The second commit waits for no disk.

CREATE FUNCTION compline.insert_plain(
    p_now timestamptz, p_by text, p_object text, p_ids uuid[], p_kinds text[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_run_at timestamptz[], p_after_us bigint[], p_args text[], p_tenants text[],
    p_tags text[], p_metadata text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH clock AS (SELECT coalesce(p_now, now()) AS now),
    rows AS (
        INSERT INTO compline.job
            (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, tenant, tags,
             metadata)
        SELECT r.id,
               (CASE WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END)::compline.job_state,
               r.max_attempts, r.max_attempts, r.priority, d.due + (r.priority - 5) * interval '1 minute', d.due,
               c.now, r.kind, r.queue, r.args::json, r.tenant,
               CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END,
               r.metadata::json
        FROM unnest(p_ids, p_kinds, p_queues, p_priorities, p_max_attempts, p_run_at, p_after_us, p_args, p_tenants,
                    p_tags, p_metadata)
            AS r (id, kind, queue, priority, max_attempts, run_at, after_us, args, tenant, tags, metadata)
        CROSS JOIN clock c
        CROSS JOIN LATERAL (
            -- A time in the past is now: it must not be a way to the front of the queue.
            SELECT greatest(c.now, coalesce(r.run_at, c.now + r.after_us * interval '1 microsecond')) AS due
        ) d
    )
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT c.now, p_by, 'job.enqueue', p_object, 'ok', p_ids FROM clock c;
END
$$;

CREATE PROCEDURE compline.insert_and_wake(
    p_now timestamptz, p_by text, p_object text, p_ids uuid[], p_kinds text[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_run_at timestamptz[], p_after_us bigint[], p_args text[], p_tenants text[],
    p_tags text[], p_metadata text[], p_channel text, p_news text[]
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM compline.insert_plain(p_now, p_by, p_object, p_ids, p_kinds, p_queues, p_priorities, p_max_attempts,
                                  p_run_at, p_after_us, p_args, p_tenants, p_tags, p_metadata);
    COMMIT;
    PERFORM set_config('synchronous_commit', 'off', true);
    -- The jobs are there: that somebody's listener lets the queue of notifications fill up must not look as if
    -- they were not.
    PERFORM pg_notify(p_channel, news) FROM unnest(p_news) AS news WHERE pg_notification_queue_usage() < 0.9;
END
$$;
