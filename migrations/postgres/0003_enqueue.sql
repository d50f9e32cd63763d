-- compline.enqueue(kind, args, options): the door for programs that speak SQL, in their own transaction.
-- Grant EXECUTE on it to a role that may do nothing else:
--   GRANT USAGE ON SCHEMA compline TO app; GRANT EXECUTE ON FUNCTION compline.enqueue TO app;

CREATE FUNCTION compline.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_byte(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            6, (get_byte(uuid_send(gen_random_uuid()), 6) & 15) | 112),
        'hex')::uuid
$$;

CREATE FUNCTION compline.enqueue(kind text, args jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
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
                              unique_key, unique_release, tenant, tags, metadata)
    VALUES (v_id, CASE WHEN v_due > now() THEN 'scheduled' ELSE 'available' END::compline.job_state, v_attempts,
            v_attempts, v_priority, v_due + (v_priority - 5) * interval '1 minute', v_due, now(), enqueue.kind, v_queue,
            enqueue.args::json, v_key, CASE WHEN v_key IS NOT NULL THEN 'at_end' END, v_tenant, v_tags,
            (options -> 'metadata')::json);
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, jobs)
    VALUES (now(), v_caller, 'job.enqueue', enqueue.kind, 'ok', v_tenant, ARRAY[v_id]);
    -- Delivered when the caller's transaction commits, once per queue however many jobs.
    PERFORM pg_notify('compline_wake', 'q:' || v_queue);
    RETURN v_id;
END $$;

REVOKE ALL ON FUNCTION compline.enqueue FROM PUBLIC;
REVOKE ALL ON FUNCTION compline.uuid_v7 FROM PUBLIC;
