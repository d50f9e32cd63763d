-- Jobs at the end of a job, through SQL: the options on_success, on_failure and callback of compline.enqueue. And a kind
-- that the engine alone makes is known as one, so that SQL can say why it refuses it.

ALTER TABLE compline.kind ADD COLUMN internal boolean NOT NULL DEFAULT false;

-- As in 0007, with a plan that is kept: one that was made for each call took most of a millisecond.
CREATE OR REPLACE FUNCTION compline.lane_of(p_kind text, p_queue text, p_tenant text, p_args jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM compline.limit_rule) THEN
        RETURN NULL;
    END IF;
    RETURN (
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
    );
END $$;

-- One that posts the end of a job of this transaction. p_at is what the caller calls the place of url and events.
CREATE FUNCTION compline.call_back(p_at text, p_job uuid, p_url text, p_events text[]) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_of    compline.job%ROWTYPE;
    v_known compline.kind%ROWTYPE;
    v_id    uuid := compline.uuid_v7();
    v_args  json;
BEGIN
    SELECT * INTO v_known FROM compline.kind k WHERE k.kind = 'system.callback';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'kind: "system.callback" is not known' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A worker of this version must have started once.';
    END IF;
    IF p_url IS NULL OR p_url !~ '^https?://' OR octet_length(p_url) > 2048 THEN
        RAISE EXCEPTION '%url: must begin with https:// and have at most 2048 bytes', p_at
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_events IS NULL OR NOT p_events <@ ARRAY['completed', 'cancelled', 'discarded'] THEN
        RAISE EXCEPTION '%events: may name completed, cancelled and discarded', p_at
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Of this transaction alone: whoever may enqueue must not hear how the jobs of others end.
    UPDATE compline.job j SET has_dependents = true
    WHERE j.id = p_job AND j.created_at = now() RETURNING * INTO v_of;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_args := json_build_object(
        'job', v_of.id, 'kind', v_of.kind, 'url', p_url, 'events', p_events, 'outcome',
        NOT coalesce((SELECT k.encrypted FROM compline.kind k WHERE k.kind = v_of.kind), true));
    INSERT INTO compline.job (id, state, max_attempts, budget, priority, waits_for, rank, run_at, created_at, kind, queue,
                              args, tenant, lane)
    VALUES (v_id, 'waiting', v_known.max_attempts, v_known.max_attempts, v_known.priority, 1,
            now() + (v_known.priority - 5) * interval '1 minute', now(), now(), v_known.kind, v_known.queue, v_args,
            v_of.tenant, compline.lane_of(v_known.kind, v_known.queue, v_of.tenant, v_args::jsonb));
    INSERT INTO compline.job_dependency (parent, child, on_failure) VALUES (v_of.id, v_id, 'run');
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, jobs)
    VALUES (now(), 'sql:' || session_user, 'job.enqueue', v_known.kind, 'ok', v_of.tenant, ARRAY[v_id]);
    RETURN v_id;
END $$;
REVOKE ALL ON FUNCTION compline.call_back FROM PUBLIC;

-- As in 0010.
CREATE OR REPLACE FUNCTION compline.callback(job uuid, url text, events text[] DEFAULT '{}') RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT compline.call_back('', job, url, events)
$$;

-- A job, those for its success and failure, and theirs. p_at is where the options stand, '' the caller's own;
-- p_of is the job whose end this one waits for, by the rule p_rule. `made` counts rows: a job that holds the key already is none.
CREATE FUNCTION compline.enqueue_tree(
    p_at text, p_kind text, p_args jsonb, p_options jsonb, p_of uuid, p_rule text, p_tenant text, p_depth int,
    OUT id uuid, OUT made int
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- As many as Rust allows for the end of one job.
    c_followers CONSTANT int := 32;
    v_known    compline.kind%ROWTYPE;
    -- Where the kind, the arguments and an option are found, for whoever has to mend them.
    v_up       text := CASE WHEN p_at = '' THEN '' ELSE p_at || '.' END;
    v_in       text := CASE WHEN p_at = '' THEN 'options' ELSE p_at END;
    v_option   text;
    v_queue    text;
    v_priority int;
    v_attempts int;
    v_due      timestamptz;
    v_tags     text[];
    v_tenant   text;
    v_key      bytea;
    v_holder   uuid;
    v_field    text;
    v_index    bigint;
    v_follower jsonb;
    v_more     record;
BEGIN
    id := compline.uuid_v7();
    made := 1;
    SELECT * INTO v_known FROM compline.kind k WHERE k.kind = p_kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION '%kind: "%" is not known', v_up, p_kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A worker that knows the kind must have started once; compline.kind lists the kinds, to those who may read it.';
    END IF;
    IF v_known.internal THEN
        RAISE EXCEPTION '%kind: "%" is made by the engine alone, and not by its name', v_up, p_kind
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The option callback has the end of a job posted.';
    END IF;
    IF v_known.encrypted OR v_known.is_unique THEN
        RAISE EXCEPTION '%kind: "%" is encrypted or has a uniqueness rule, which SQL cannot apply', v_up, p_kind
            USING ERRCODE = 'feature_not_supported', HINT = 'Enqueue it with the compline command or from Rust.';
    END IF;
    IF p_args IS NULL OR octet_length(p_args::text) > 1048576 THEN
        RAISE EXCEPTION '%args: must be JSON of at most 1 MiB', v_up USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_options IS NULL OR jsonb_typeof(p_options) <> 'object' THEN
        RAISE EXCEPTION '%: must be a JSON object', v_in USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR v_option IN SELECT jsonb_object_keys(p_options) LOOP
        IF v_option NOT IN ('queue', 'priority', 'max_attempts', 'run_at', 'delay_seconds', 'unique_key', 'tags',
                            'tenant', 'metadata', 'on_success', 'on_failure', 'callback') THEN
            RAISE EXCEPTION '%.%: is not an option', v_in, v_option USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Use queue, priority, max_attempts, run_at, delay_seconds, unique_key, tags, tenant, metadata, on_success, on_failure or callback.';
        END IF;
    END LOOP;
    FOREACH v_option IN ARRAY ARRAY['queue', 'tenant', 'run_at'] LOOP
        IF jsonb_typeof(p_options -> v_option) NOT IN ('string', 'null') THEN
            RAISE EXCEPTION '%.%: must be a text', v_in, v_option USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END LOOP;
    v_queue := coalesce(p_options ->> 'queue', v_known.queue);
    IF v_queue !~ '^[A-Za-z0-9_.:-]{1,64}$' THEN
        RAISE EXCEPTION '%.queue: must be 1 to 64 letters, digits or any of _ . : -', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    BEGIN
        v_priority := coalesce((p_options ->> 'priority')::int, v_known.priority);
        v_attempts := coalesce((p_options ->> 'max_attempts')::int, v_known.max_attempts);
        v_due := coalesce((p_options ->> 'run_at')::timestamptz, now())
               + coalesce((p_options ->> 'delay_seconds')::float8, 0) * interval '1 second';
        v_tags := CASE WHEN p_options ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(p_options -> 'tags')) END;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION '%: %', v_in, SQLERRM USING ERRCODE = 'invalid_parameter_value',
            HINT = 'priority and max_attempts are whole numbers, run_at a timestamp, delay_seconds a number, tags an array of texts.';
    END;
    -- What comes later no door but this one could name.
    IF NOT isfinite(v_due) OR v_due >= '9999-01-01 00:00:00+00' THEN
        RAISE EXCEPTION '%.run_at: must be a moment before the year 9999, delay_seconds included', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A time in the past is now: it must not be a way to the front of the queue.
    v_due := greatest(v_due, now());
    IF cardinality(v_tags) > 32 OR EXISTS (SELECT FROM unnest(v_tags) tag
                                           WHERE tag IS NULL OR octet_length(tag) NOT BETWEEN 1 AND 64)
       OR jsonb_path_exists(p_options, '$.tags[*] ? (@.type() != "string")') THEN
        RAISE EXCEPTION '%.tags: at most 32 texts of 1 to 64 bytes', v_in USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(p_options ->> 'tenant') NOT BETWEEN 1 AND 128 OR octet_length((p_options -> 'metadata')::text) > 16384
       OR coalesce(jsonb_typeof(p_options -> 'metadata'), 'object') <> 'object' THEN
        RAISE EXCEPTION '%: a tenant is 1 to 128 bytes, and metadata an object of at most 16 KiB', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_options ? 'unique_key' AND (jsonb_typeof(p_options -> 'unique_key') <> 'string'
                                     OR octet_length(p_options ->> 'unique_key') NOT BETWEEN 1 AND 512) THEN
        RAISE EXCEPTION '%.unique_key: must be a text of 1 to 512 bytes', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF v_priority NOT BETWEEN 1 AND 9 OR v_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION '%: priority is 1 to 9, max_attempts 1 to 1000', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_tenant := coalesce(p_options ->> 'tenant', p_tenant);

    IF p_options ? 'unique_key' THEN
        -- The same bytes that the Rust side hashes: kind, a zero byte, the key.
        v_key := sha256(convert_to(p_kind, 'UTF8') || '\x00'::bytea || convert_to(p_options ->> 'unique_key', 'UTF8'));
        LOOP
            INSERT INTO compline.unique_key AS k (key, job_id, release) VALUES (v_key, id, 'at_end')
            ON CONFLICT ON CONSTRAINT unique_key_pkey DO UPDATE
                SET job_id = excluded.job_id, release = excluded.release, until = NULL
                WHERE k.until IS NOT NULL AND k.until <= now();
            EXIT WHEN FOUND;
            SELECT k.job_id INTO v_holder FROM compline.unique_key k WHERE k.key = v_key;
            IF FOUND THEN
                -- With company of its own or none.
                id := v_holder;
                made := 0;
                RETURN;
            END IF;
        END LOOP;
    END IF;

    INSERT INTO compline.job (id, state, max_attempts, budget, priority, waits_for, rank, run_at, created_at, kind, queue,
                              args, unique_key, unique_release, tenant, tags, metadata, lane)
    VALUES (enqueue_tree.id,
            CASE WHEN p_of IS NOT NULL THEN 'waiting' WHEN v_due > now() THEN 'scheduled' ELSE 'available'
            END::compline.job_state, v_attempts, v_attempts, v_priority, (p_of IS NOT NULL)::int,
            v_due + (v_priority - 5) * interval '1 minute', v_due, now(), p_kind, v_queue, p_args::json, v_key,
            CASE WHEN v_key IS NOT NULL THEN 'at_end' END, v_tenant, v_tags, (p_options -> 'metadata')::json,
            compline.lane_of(p_kind, v_queue, v_tenant, p_args));
    IF p_of IS NOT NULL THEN
        UPDATE compline.job j SET has_dependents = true WHERE j.id = p_of AND NOT j.has_dependents;
        INSERT INTO compline.job_dependency (parent, child, on_failure) VALUES (p_of, enqueue_tree.id, p_rule);
    END IF;
    -- By the role that signed in, not the function's owner.
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, jobs)
    VALUES (now(), 'sql:' || session_user, 'job.enqueue', p_kind, 'ok', v_tenant, ARRAY[enqueue_tree.id]);
    IF p_of IS NULL THEN
        -- Delivered when the caller's transaction commits, once per queue however many jobs.
        PERFORM pg_notify('compline_wake', 'q:' || v_queue);
    END IF;

    IF p_options ? 'callback' THEN
        IF jsonb_typeof(p_options -> 'callback') <> 'object'
           OR EXISTS (SELECT FROM jsonb_object_keys(p_options -> 'callback') AS field WHERE field NOT IN ('url', 'events'))
           OR coalesce(jsonb_typeof(p_options #> '{callback,events}'), 'array') <> 'array' THEN
            RAISE EXCEPTION '%.callback: must be an object with a url and, where not all are wanted, an array of events', v_in
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        PERFORM compline.call_back(v_in || '.callback.', id, p_options #>> '{callback,url}',
            ARRAY(SELECT jsonb_array_elements_text(p_options #> '{callback,events}')));
        made := made + 1;
    END IF;
    FOREACH v_field IN ARRAY ARRAY['on_success', 'on_failure'] LOOP
        CONTINUE WHEN NOT p_options ? v_field;
        IF jsonb_typeof(p_options -> v_field) <> 'array' THEN
            RAISE EXCEPTION '%.%: must be an array of jobs', v_in, v_field USING ERRCODE = 'invalid_parameter_value',
                HINT = 'A job is an object with its kind, its args and any of the options.';
        END IF;
        FOR v_follower, v_index IN
            SELECT f.job, f.place - 1 FROM jsonb_array_elements(p_options -> v_field) WITH ORDINALITY AS f (job, place)
        LOOP
            IF jsonb_typeof(v_follower) <> 'object' OR jsonb_typeof(v_follower -> 'kind') IS DISTINCT FROM 'string' THEN
                RAISE EXCEPTION '%.%[%]: must be an object with a kind', v_in, v_field, v_index
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
            IF p_depth < c_followers THEN
                SELECT * INTO v_more FROM compline.enqueue_tree(
                    format('%s.%s[%s]', v_in, v_field, v_index), v_follower ->> 'kind',
                    coalesce(v_follower -> 'args', '{}'), v_follower - 'kind' - 'args', id,
                    CASE v_field WHEN 'on_success' THEN 'cancel' ELSE 'only' END, v_tenant, p_depth + 1);
                made := made + v_more.made;
            END IF;
            IF p_depth >= c_followers OR made > c_followers + 1 THEN
                RAISE EXCEPTION '%.%: at most % jobs for the end of one, those of on_success and on_failure and theirs',
                    v_in, v_field, c_followers USING ERRCODE = 'invalid_parameter_value';
            END IF;
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION compline.enqueue_tree FROM PUBLIC;

-- compline.enqueue(kind, args, options): the id of the job, or of the one that has its unique key.
--   SELECT compline.enqueue('system.noop', '{}', '{"on_failure": [{"kind": "mail.send", "args": {"to": "ops"}}]}');
CREATE OR REPLACE FUNCTION compline.enqueue(kind text, args jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (compline.enqueue_tree('', kind, args, options, NULL, NULL, NULL, 0)).id;
END $$;
