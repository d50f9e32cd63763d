-- What people are told. What happened is written down where it happens, in the same transaction (alert_news); one
-- process then folds it into what is the matter (alert); what is to be sent to whom, and whether it was, stands in
-- alert_delivery.

-- Appended to by whatever discards jobs, so it is rows and nothing else: no two of those wait for each other here.
CREATE TABLE compline.alert_news (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    -- What it is about: news of one key is one alert until that closes.
    key      text        NOT NULL,
    rule     text        NOT NULL,
    change   text        NOT NULL CHECK (change IN ('happened', 'began', 'ended')),
    severity text        NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    kind     text,
    queue    text,
    text     text        NOT NULL,
    count    bigint      NOT NULL CHECK (count > 0),
    -- The first few.
    jobs     uuid[]      NOT NULL DEFAULT '{}',
    details  json
);

CREATE TABLE compline.alert (
    id         uuid        PRIMARY KEY,
    key        text        NOT NULL,
    rule       text        NOT NULL,
    -- An event closes by itself when no more follow; a condition when it has ended.
    nature     text        NOT NULL CHECK (nature IN ('event', 'condition')),
    severity   text        NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    kind       text,
    queue      text,
    text       text        NOT NULL,
    count      bigint      NOT NULL CHECK (count > 0),
    jobs       uuid[]      NOT NULL,
    details    json,
    opened_at  timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    closed_at  timestamptz,
    acked_at   timestamptz,
    acked_by   text,
    -- Whoever writes says which version it read.
    version    integer     NOT NULL DEFAULT 0,
    tellings   integer     NOT NULL DEFAULT 0,
    told_count bigint      NOT NULL DEFAULT 0,
    -- When to look whether there is something to tell; nothing when there will not be.
    tell_at    timestamptz,
    CONSTRAINT alert_is_acked_by_somebody CHECK ((acked_at IS NULL) = (acked_by IS NULL))
);
CREATE UNIQUE INDEX alert_open ON compline.alert (key) WHERE closed_at IS NULL;
CREATE INDEX alert_to_tell ON compline.alert (tell_at) WHERE tell_at IS NOT NULL;
CREATE INDEX alert_opened ON compline.alert (opened_at);

CREATE TABLE compline.alert_delivery (
    alert_id uuid        NOT NULL,
    telling  integer     NOT NULL,
    -- Its name in the configuration; whom that means is read when it is sent.
    route    text        NOT NULL,
    message  json        NOT NULL,
    state    text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
    attempts integer     NOT NULL DEFAULT 0,
    due_at   timestamptz NOT NULL,
    ended_at timestamptz,
    error    text,
    PRIMARY KEY (alert_id, telling, route),
    CONSTRAINT alert_delivery_ends CHECK ((state = 'pending') = (ended_at IS NULL))
);
CREATE INDEX alert_delivery_due ON compline.alert_delivery (due_at) WHERE state = 'pending';

-- compline.callback(job, url, events): for a job that was enqueued in the same transaction, another that posts its end to
-- this address. A worker refuses an address that its webhooks.allow does not cover. No answer: the job was there before,
-- as one that holds a unique key, and has such company of its own or has none.
--   SELECT compline.callback(compline.enqueue('system.noop'), 'https://hooks.example.org/compline');
CREATE FUNCTION compline.callback(job uuid, url text, events text[] DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    IF url IS NULL OR url !~ '^https?://' OR octet_length(url) > 2048 THEN
        RAISE EXCEPTION 'url: must begin with https:// and have at most 2048 bytes'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF events IS NULL OR NOT events <@ ARRAY['completed', 'cancelled', 'discarded'] THEN
        RAISE EXCEPTION 'events: may name completed, cancelled and discarded' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Of this transaction alone: whoever may enqueue must not hear how the jobs of others end.
    UPDATE compline.job j SET has_dependents = true
    WHERE j.id = callback.job AND j.created_at = now() RETURNING * INTO v_of;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_args := json_build_object(
        'job', v_of.id, 'kind', v_of.kind, 'url', url, 'events', events, 'outcome',
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

REVOKE ALL ON FUNCTION compline.callback FROM PUBLIC;
