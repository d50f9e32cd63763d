-- A tenant sees and touches what is its own. Statements say so, and beside them these policies, for whatever runs as the role
-- compline_tenant: it reads, and writes nothing. Roles belong to the cluster, so the role is made beside the migrations
-- (store/postgres/src/tenant_role.sql) or by an administrator; the policies name it and do not need it.

-- Whose request this transaction carries out. Unset, it is nobody's.
CREATE FUNCTION compline.tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('compline.tenant', true), '')
$$;

-- Whether a job is of that tenant. By its owner's rights: whoever may read attempts need not be able to read jobs.
CREATE FUNCTION compline.is_tenants_job(p_job uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM compline.job j WHERE j.id = p_job AND j.tenant = compline.tenant())
        OR EXISTS (SELECT FROM compline.job_history h WHERE h.id = p_job AND h.tenant = compline.tenant())
$$;

-- As the definition says. The table is small.
ALTER TABLE compline.schedule ADD COLUMN tenant text
    GENERATED ALWAYS AS (nullif(definition #>> '{definition,tenant}', '')) STORED;

-- Whose the schedule was when it fired.
ALTER TABLE compline.schedule_fire ADD COLUMN tenant text;
UPDATE compline.schedule_fire f SET tenant = s.tenant FROM compline.schedule s
WHERE s.name = f.schedule AND s.tenant IS NOT NULL;

-- Of the job, which may have been pruned since. Rows of before are told to the installation alone.
ALTER TABLE compline.review ADD COLUMN tenant text;

-- Everybody but that role is as before: the owner passes policies by, and others see what they were granted.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['job', 'job_history', 'schedule', 'schedule_fire', 'review', 'audit_entry', 'identity_user', 'access_token']
    LOOP
        EXECUTE format('ALTER TABLE compline.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY tenants ON compline.%I USING (current_user <> ''compline_tenant'' OR tenant = compline.tenant())',
                       v_table);
    END LOOP;
    FOREACH v_table IN ARRAY ARRAY['job_attempt', 'job_step', 'job_progress', 'cancel_request', 'unique_key', 'trigger_mark']
    LOOP
        EXECUTE format('ALTER TABLE compline.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY tenants ON compline.%I USING (current_user <> ''compline_tenant'' OR compline.is_tenants_job(job_id))',
                       v_table);
    END LOOP;
    -- A tenant's job may wait for one of somebody else's, which whoever has the database made it wait for.
    ALTER TABLE compline.job_dependency ENABLE ROW LEVEL SECURITY;
    CREATE POLICY tenants ON compline.job_dependency USING (
        current_user <> 'compline_tenant' OR (compline.is_tenants_job(child) AND compline.is_tenants_job(parent)));
END $$;

-- As in 0013, and a unique key is the tenant's own: two tenants that choose the same have two.
CREATE OR REPLACE FUNCTION compline.enqueue_tree(
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
    -- Whatever else the job's program might take, limits find names in an object alone.
    IF p_args IS NULL OR jsonb_typeof(p_args) <> 'object' OR octet_length(p_args::text) > 1048576 THEN
        RAISE EXCEPTION '%args: must be a JSON object of at most 1 MiB', v_up USING ERRCODE = 'invalid_parameter_value';
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
    -- As text, so that no number is too large to be looked at.
    IF p_options ->> 'priority' !~ '^[1-9]$' THEN
        RAISE EXCEPTION '%.priority: must be a whole number from 1 (first) to 9 (last)', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_priority := coalesce((p_options ->> 'priority')::int, v_known.priority);
    IF p_options ->> 'max_attempts' !~ '^([1-9][0-9]{0,2}|1000)$' THEN
        RAISE EXCEPTION '%.max_attempts: must be a whole number from 1 to 1000', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_attempts := coalesce((p_options ->> 'max_attempts')::int, v_known.max_attempts);
    BEGIN
        v_due := coalesce((p_options ->> 'run_at')::timestamptz, now());
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION '%.run_at: %', v_in, SQLERRM USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Write a time with its zone, such as 2026-01-31T09:00:00Z.';
    END;
    -- What comes later no door but this one could name.
    IF NOT isfinite(v_due) OR v_due >= '9999-01-01 00:00:00+00' THEN
        RAISE EXCEPTION '%.run_at: must be a moment before the year 9999', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(p_options -> 'delay_seconds') NOT IN ('number', 'null') THEN
        RAISE EXCEPTION '%.delay_seconds: must be a number, of seconds', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- First as a number of any size: what an interval cannot hold would be told in other words.
    IF abs((p_options ->> 'delay_seconds')::numeric) > 300000000000
       OR v_due + coalesce(round((p_options ->> 'delay_seconds')::numeric, 6)::float8, 0) * interval '1 second'
          >= '9999-01-01 00:00:00+00' THEN
        RAISE EXCEPTION '%.delay_seconds: must lead to a moment before the year 9999', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_due := v_due + coalesce(round((p_options ->> 'delay_seconds')::numeric, 6)::float8, 0) * interval '1 second';
    -- A time in the past is now: it must not be a way to the front of the queue.
    v_due := greatest(v_due, now());
    IF jsonb_typeof(p_options -> 'tags') <> 'array'
       OR jsonb_path_exists(p_options, '$.tags[*] ? (@.type() != "string")') THEN
        RAISE EXCEPTION '%.tags: must be an array of at most 32 texts of 1 to 64 bytes', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_tags := CASE WHEN p_options ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text(p_options -> 'tags')) END;
    IF cardinality(v_tags) > 32
       OR EXISTS (SELECT FROM unnest(v_tags) tag WHERE octet_length(tag) NOT BETWEEN 1 AND 64) THEN
        RAISE EXCEPTION '%.tags: must be an array of at most 32 texts of 1 to 64 bytes', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(p_options ->> 'tenant') NOT BETWEEN 1 AND 128 THEN
        RAISE EXCEPTION '%.tenant: must be a text of 1 to 128 bytes', v_in USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(p_options -> 'metadata') <> 'object' OR octet_length((p_options -> 'metadata')::text) > 16384 THEN
        RAISE EXCEPTION '%.metadata: must be an object of at most 16 KiB', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_options ? 'unique_key' AND (jsonb_typeof(p_options -> 'unique_key') <> 'string'
                                     OR octet_length(p_options ->> 'unique_key') NOT BETWEEN 1 AND 512) THEN
        RAISE EXCEPTION '%.unique_key: must be a text of 1 to 512 bytes', v_in
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_tenant := coalesce(p_options ->> 'tenant', p_tenant);

    IF p_options ? 'unique_key' THEN
        -- The same bytes that the Rust side hashes: of a tenant's job a zero byte, the tenant and another, then the kind, a
        -- zero byte, the key.
        v_key := sha256(coalesce('\x00'::bytea || convert_to(v_tenant, 'UTF8') || '\x00'::bytea, ''::bytea)
                        || convert_to(p_kind, 'UTF8') || '\x00'::bytea || convert_to(p_options ->> 'unique_key', 'UTF8'));
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
