-- Approvals: what waits for other people to look at it, bound to a hash of exactly what will be done. Rows are kept: they are
-- evidence, as the audit log is.

CREATE TABLE compline.approval (
    id         uuid        PRIMARY KEY,
    action     text        NOT NULL,
    -- JSON, exactly what will be done; the hash is over the salt and these bytes.
    what       text        NOT NULL,
    salt       bytea       NOT NULL CHECK (length(salt) = 16),
    sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
    tenant     text        COLLATE "C" CHECK (tenant <> ''),
    author     text        NOT NULL,
    people     smallint    NOT NULL CHECK (people IN (1, 2)),
    permission text        NOT NULL,
    -- The job that waits for it, where it is a job's.
    job_id     uuid,
    state      text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'granted', 'refused', 'withdrawn', 'used', 'expired')),
    asked_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    reason     text,
    CONSTRAINT approval_ends CHECK ((state IN ('pending', 'granted')) = (ended_at IS NULL))
);
-- approvals_over.sql, approvals_open.sql
CREATE INDEX approval_open ON compline.approval (expires_at) WHERE state IN ('pending', 'granted');
-- end_live.sql, approvals.sql
CREATE UNIQUE INDEX approval_job ON compline.approval (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE compline.approval_vote (
    approval_id uuid        NOT NULL REFERENCES compline.approval,
    voter       text        NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('grant', 'refuse')),
    reason      text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (approval_id, voter)
);

ALTER TABLE compline.approval ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.approval
    USING (current_user <> 'compline_tenant' OR tenant = compline.tenant());
ALTER TABLE compline.approval_vote ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.approval_vote USING (
    current_user <> 'compline_tenant'
    OR EXISTS (SELECT FROM compline.approval a WHERE a.id = approval_id AND a.tenant = compline.tenant()));

-- What must be given before a job of the kind runs. An older program writes none of it and leaves it as it is.
ALTER TABLE compline.kind
    ADD COLUMN approval_people smallint CHECK (approval_people IN (1, 2)),
    ADD COLUMN approval_permission text,
    ADD COLUMN approval_expires_us bigint,
    ADD CONSTRAINT kind_approval_is_whole
        CHECK (num_nulls(approval_people, approval_permission, approval_expires_us) IN (0, 3));

-- Who said last what it does: the author of what it enqueues. None of before.
ALTER TABLE compline.schedule ADD COLUMN put_by text;

-- All that decides what a job does. `json` keeps its text, so the same row always makes the same bytes.
CREATE FUNCTION compline.job_what(p_job uuid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object(
        'action', 'jobs.run', 'job', j.id, 'kind', j.kind, 'queue', j.queue, 'tenant', j.tenant, 'priority', j.priority,
        'max_attempts', j.max_attempts,
        'run_at', to_char(j.run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'tags', j.tags, 'metadata', j.metadata, 'args', j.args)::text
    FROM compline.job j WHERE j.id = p_job
$$;

-- A job waits, and somebody is asked; with the rights of the caller. p_by is who enqueued it; behind a schedule stands whoever
-- said what it does.
CREATE FUNCTION compline.ask_for_job(
    p_now timestamptz, p_id uuid, p_job uuid, p_by text, p_request text, p_source text, p_people smallint,
    p_permission text, p_expires_us bigint
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_now    timestamptz := coalesce(p_now, now());
    v_what   text := compline.job_what(p_job);
    v_salt   bytea := uuid_send(gen_random_uuid());
    v_hash   bytea := sha256(v_salt || convert_to(v_what, 'UTF8'));
    v_until  timestamptz := v_now + p_expires_us * interval '1 microsecond';
    v_author text := coalesce((SELECT s.put_by FROM compline.schedule s WHERE 'schedule:' || s.name = p_by), p_by);
    v_tenant text := (SELECT j.tenant FROM compline.job j WHERE j.id = p_job);
BEGIN
    INSERT INTO compline.approval (id, action, what, salt, sha256, tenant, author, people, permission, job_id, asked_at,
                                   expires_at)
    VALUES (p_id, 'jobs.run', v_what, v_salt, v_hash, v_tenant, v_author, p_people, p_permission, p_job, v_now, v_until);
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, details, request, source)
    VALUES (v_now, p_by, 'approval.ask', 'approval:' || p_id, 'ok', v_tenant,
            json_build_object('of', 'jobs.run', 'sha256', encode(v_hash, 'hex'), 'author', v_author, 'job', p_job,
                              'people', p_people, 'permission', p_permission,
                              'expires_at', to_char(v_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            p_request, p_source);
END $$;

-- As in 0020, and a job of a kind that demands an approval waits for one.
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
            CASE WHEN p_of IS NOT NULL OR v_known.approval_people IS NOT NULL THEN 'waiting'
                 WHEN v_due > now() THEN 'scheduled' ELSE 'available' END::compline.job_state, v_attempts, v_attempts, v_priority,
            (p_of IS NOT NULL)::int + (v_known.approval_people IS NOT NULL)::int,
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
    IF v_known.approval_people IS NOT NULL THEN
        PERFORM compline.ask_for_job(NULL, compline.uuid_v7(), enqueue_tree.id, 'sql:' || session_user, NULL, NULL,
            v_known.approval_people, v_known.approval_permission, v_known.approval_expires_us);
    END IF;
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
