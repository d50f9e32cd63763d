-- Limits of rate and concurrency across all processes, pauses with an end, and circuit breakers.

-- What is limited, as the configuration says; published by the processes that work.
CREATE TABLE compline.limit_rule (
    name        text     COLLATE "C" PRIMARY KEY,
    kinds       text[]   NOT NULL,
    queues      text[]   NOT NULL,
    keyed_by    text     NOT NULL,
    -- So many starts in so many seconds, evenly, and a burst of them at once.
    starts      integer,
    seconds     integer,
    burst       integer  NOT NULL DEFAULT 1,
    concurrency integer,
    CONSTRAINT limit_rule_limits_something CHECK (starts IS NOT NULL OR concurrency IS NOT NULL),
    CONSTRAINT limit_rule_numbers CHECK (starts > 0 AND seconds > 0 AND burst > 0 AND concurrency > 0),
    CONSTRAINT limit_rule_rate CHECK ((starts IS NULL) = (seconds IS NULL))
);

-- Grows with every change of the rules; the lanes of all jobs say what the rules said at `laned`.
CREATE TABLE compline.limit_set (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint  NOT NULL DEFAULT 0,
    laned   bigint  NOT NULL DEFAULT 0 CHECK (laned <= version)
);
INSERT INTO compline.limit_set DEFAULT VALUES;

-- One per limit and key. The jobs that run in it are counted in the jobs themselves.
CREATE TABLE compline.bucket (
    name         text COLLATE "C" PRIMARY KEY,
    -- When the next may begin if they come evenly: nanoseconds since 1970.
    next_start   bigint,
    paused_until timestamptz,
    paused_by    text,
    reason       text,
    CONSTRAINT bucket_is_paused_by_somebody CHECK ((paused_until IS NULL) = (paused_by IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Failures of a provider in a row, and until when nobody asks it.
CREATE TABLE compline.breaker (
    name        text COLLATE "C" PRIMARY KEY,
    failures    integer NOT NULL CHECK (failures >= 0),
    open_until  timestamptz,
    -- One tries whether the other side is back; if it is not heard of again by then, the next may.
    probe_until timestamptz,
    CHECK (probe_until IS NULL OR open_until IS NOT NULL)
) WITH (fillfactor = 50);

-- A queue may be paused until a time.
ALTER TABLE compline.queue ADD COLUMN resume_at timestamptz;
ALTER TABLE compline.queue ADD CONSTRAINT queue_resumes_when_paused CHECK (resume_at IS NULL OR paused_at IS NOT NULL);

-- The buckets of a job, one on a line, and its tenant. Those without a lane are limited by nothing, and are claimed as
-- before: the two indexes they are found with do not know the others.
ALTER TABLE compline.job ADD COLUMN lane text COLLATE "C";
ALTER TABLE compline.job ADD CONSTRAINT job_lane_has_a_name CHECK (lane <> '');
ALTER TABLE compline.job_history ADD COLUMN lane text;
DROP INDEX compline.job_ready;
DROP INDEX compline.job_ready_by_tenant;
CREATE INDEX job_ready ON compline.job (queue, rank, id)
    WHERE state = 'available' AND tenant IS NULL AND lane IS NULL;
CREATE INDEX job_ready_by_tenant ON compline.job (queue, tenant, rank, id)
    WHERE state = 'available' AND tenant IS NOT NULL AND lane IS NULL;
-- lanes.sql, claim_lanes.sql, ready_queues.sql
CREATE INDEX job_ready_in_lane ON compline.job (queue, lane, rank, id) WHERE state = 'available' AND lane IS NOT NULL;
-- buckets_look.sql
CREATE INDEX job_running_in_lane ON compline.job (lane) WHERE state = 'running' AND lane IS NOT NULL;

-- The lane of a job that comes in through SQL: what `Rules::lane_of` says.
CREATE FUNCTION compline.lane_of(p_kind text, p_queue text, p_tenant text, p_args jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(b.bucket, E'\n' ORDER BY b.name) || coalesce(E'\n\t' || p_tenant, '')
    FROM (
        SELECT l.name, CASE
            WHEN l.keyed_by = 'all' THEN l.name
            WHEN octet_length(k.key) > 128 OR k.key ~ '[\u0001-\u001f\u007f]'
                THEN l.name || '/#' || left(encode(sha256(convert_to(k.key, 'UTF8')), 'hex'), 32)
            ELSE l.name || '/' || k.key END AS bucket
        FROM compline.limit_rule l
        CROSS JOIN LATERAL (SELECT p_args #> string_to_array(substr(l.keyed_by, 6), '.') AS value) a
        CROSS JOIN LATERAL (SELECT coalesce(CASE l.keyed_by
            WHEN 'all' THEN ''
            WHEN 'queue' THEN p_queue
            WHEN 'kind' THEN p_kind
            WHEN 'tenant' THEN p_tenant
            ELSE CASE jsonb_typeof(a.value)
                WHEN 'string' THEN a.value #>> '{}'
                WHEN 'boolean' THEN a.value #>> '{}'
                -- Whole numbers that Rust can hold: a fraction has several ways to be written.
                WHEN 'number' THEN CASE WHEN a.value #>> '{}' ~ '^-?[0-9]{1,18}$' THEN a.value #>> '{}' END
            END END, '') AS key) k
        WHERE (l.kinds = '{}' OR EXISTS (
                  SELECT FROM unnest(l.kinds) AS p
                  WHERE p = p_kind OR (right(p, 1) = '*' AND starts_with(p_kind, left(p, -1)))))
          AND (l.queues = '{}' OR p_queue = ANY (l.queues))
    ) b
$$;
REVOKE ALL ON FUNCTION compline.lane_of FROM PUBLIC;

-- As in 0003, and the job gets its lane.
CREATE OR REPLACE FUNCTION compline.enqueue(kind text, args jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known    compline.kind%ROWTYPE;
    v_option   text;
    v_queue    text;
    v_priority int;
    v_attempts int;
    v_due      timestamptz;
    v_tags     text[];
    v_tenant   text;
    v_key      bytea;
    v_holder   uuid;
    v_id       uuid := compline.uuid_v7();
    -- The role that signed in, not the function's owner.
    v_caller   text := 'sql:' || session_user;
BEGIN
    SELECT * INTO v_known FROM compline.kind k WHERE k.kind = enqueue.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'kind: "%" is not known', kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT kind FROM compline.kind lists the kinds; a worker that knows the kind must have started once.';
    END IF;
    IF v_known.encrypted OR v_known.is_unique THEN
        RAISE EXCEPTION 'kind: "%" is encrypted or has a uniqueness rule, which SQL cannot apply', kind
            USING ERRCODE = 'feature_not_supported', HINT = 'Enqueue it with the compline command or from Rust.';
    END IF;
    IF args IS NULL OR pg_column_size(args) > 1048576 THEN
        RAISE EXCEPTION 'args: must be JSON of at most 1 MiB' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION 'options: must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR v_option IN SELECT jsonb_object_keys(options) LOOP
        IF v_option NOT IN ('queue', 'priority', 'max_attempts', 'run_at', 'delay_seconds', 'unique_key', 'tags',
                          'tenant', 'metadata') THEN
            RAISE EXCEPTION 'options.%: is not an option', v_option USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Use queue, priority, max_attempts, run_at, delay_seconds, unique_key, tags, tenant or metadata.';
        END IF;
    END LOOP;
    v_queue := coalesce(options ->> 'queue', v_known.queue);
    IF v_queue !~ '^[A-Za-z0-9_.:-]{1,64}$' THEN
        RAISE EXCEPTION 'options.queue: must be 1 to 64 letters, digits or any of _ . : -'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    BEGIN
        v_priority := coalesce((options ->> 'priority')::int, v_known.priority);
        v_attempts := coalesce((options ->> 'max_attempts')::int, v_known.max_attempts);
        v_due := coalesce((options ->> 'run_at')::timestamptz, now())
               + coalesce((options ->> 'delay_seconds')::float8, 0) * interval '1 second';
        v_tags := CASE WHEN options ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(options -> 'tags')) END;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION 'options: %', SQLERRM USING ERRCODE = 'invalid_parameter_value',
            HINT = 'priority and max_attempts are whole numbers, run_at a timestamp, delay_seconds a number, tags an array of texts.';
    END;
    IF NOT isfinite(v_due) THEN
        RAISE EXCEPTION 'options.run_at: must be a moment, not infinity' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A time in the past is now: it must not be a way to the front of the queue.
    v_due := greatest(v_due, now());
    IF cardinality(v_tags) > 32 OR EXISTS (SELECT FROM unnest(v_tags) tag
                                           WHERE tag IS NULL OR octet_length(tag) NOT BETWEEN 1 AND 64) THEN
        RAISE EXCEPTION 'options.tags: at most 32 tags of 1 to 64 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF length(options ->> 'tenant') NOT BETWEEN 1 AND 128 OR pg_column_size(options -> 'metadata') > 16384
       OR coalesce(jsonb_typeof(options -> 'metadata'), 'object') <> 'object' THEN
        RAISE EXCEPTION 'options: a tenant is 1 to 128 characters, and metadata an object of at most 16 KiB'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF options ? 'unique_key' AND (jsonb_typeof(options -> 'unique_key') <> 'string'
                                   OR length(options ->> 'unique_key') NOT BETWEEN 1 AND 512) THEN
        RAISE EXCEPTION 'options.unique_key: must be a text of 1 to 512 characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_priority NOT BETWEEN 1 AND 9 OR v_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'options: priority is 1 to 9, max_attempts 1 to 1000'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_tenant := options ->> 'tenant';

    IF options ? 'unique_key' THEN
        -- The same bytes that the Rust side hashes: kind, a zero byte, the key.
        v_key := sha256(convert_to(kind, 'UTF8') || '\x00'::bytea || convert_to(options ->> 'unique_key', 'UTF8'));
        LOOP
            INSERT INTO compline.unique_key AS k (key, job_id, release) VALUES (v_key, v_id, 'at_end')
            ON CONFLICT ON CONSTRAINT unique_key_pkey DO UPDATE
                SET job_id = excluded.job_id, release = excluded.release, until = NULL
                WHERE k.until IS NOT NULL AND k.until <= now();
            EXIT WHEN FOUND;
            SELECT k.job_id INTO v_holder FROM compline.unique_key k WHERE k.key = v_key;
            IF FOUND THEN
                RETURN v_holder;
            END IF;
        END LOOP;
    END IF;

    INSERT INTO compline.job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args,
                              unique_key, unique_release, tenant, tags, metadata, lane)
    VALUES (v_id, CASE WHEN v_due > now() THEN 'scheduled' ELSE 'available' END::compline.job_state, v_attempts,
            v_attempts, v_priority, v_due + (v_priority - 5) * interval '1 minute', v_due, now(), enqueue.kind, v_queue,
            enqueue.args::json, v_key, CASE WHEN v_key IS NOT NULL THEN 'at_end' END, v_tenant, v_tags,
            (options -> 'metadata')::json, compline.lane_of(enqueue.kind, v_queue, v_tenant, enqueue.args));
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, jobs)
    VALUES (now(), v_caller, 'job.enqueue', enqueue.kind, 'ok', v_tenant, ARRAY[v_id]);
    -- Delivered when the caller's transaction commits, once per queue however many jobs.
    PERFORM pg_notify('compline_wake', 'q:' || v_queue);
    RETURN v_id;
END $$;

-- As in 0004, for rows of which some have a lane; the others take the shorter way.
CREATE FUNCTION compline.insert_plain(
    p_now timestamptz, p_by text, p_object text, p_ids uuid[], p_kinds text[], p_queues text[], p_priorities smallint[],
    p_max_attempts smallint[], p_run_at timestamptz[], p_after_us bigint[], p_args text[], p_tenants text[],
    p_tags text[], p_metadata text[], p_lanes text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH clock AS (SELECT coalesce(p_now, now()) AS now),
    rows AS (
        INSERT INTO compline.job
            (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args, tenant, tags,
             metadata, lane)
        SELECT r.id,
               (CASE WHEN d.due > c.now THEN 'scheduled' ELSE 'available' END)::compline.job_state,
               r.max_attempts, r.max_attempts, r.priority, d.due + (r.priority - 5) * interval '1 minute', d.due,
               c.now, r.kind, r.queue, r.args::json, r.tenant,
               CASE WHEN r.tags IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(r.tags::json)) END,
               r.metadata::json, r.lane
        FROM unnest(p_ids, p_kinds, p_queues, p_priorities, p_max_attempts, p_run_at, p_after_us, p_args, p_tenants,
                    p_tags, p_metadata, p_lanes)
            AS r (id, kind, queue, priority, max_attempts, run_at, after_us, args, tenant, tags, metadata, lane)
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
    p_tags text[], p_metadata text[], p_lanes text[], p_channel text, p_news text[]
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM compline.insert_plain(p_now, p_by, p_object, p_ids, p_kinds, p_queues, p_priorities, p_max_attempts,
                                  p_run_at, p_after_us, p_args, p_tenants, p_tags, p_metadata, p_lanes);
    COMMIT;
    PERFORM set_config('synchronous_commit', 'off', true);
    -- The jobs are there: that somebody's listener lets the queue of notifications fill up must not look as if
    -- they were not.
    PERFORM pg_notify(p_channel, news) FROM unnest(p_news) AS news WHERE pg_notification_queue_usage() < 0.9;
END
$$;
