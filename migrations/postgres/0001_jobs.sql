-- Live jobs, their history, and who works on them.

CREATE SCHEMA IF NOT EXISTS compline;

CREATE TYPE compline.job_state AS ENUM
    ('scheduled', 'available', 'running', 'retryable', 'waiting', 'completed', 'cancelled', 'discarded');

CREATE TABLE compline.worker (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL,
    -- Who watches measures on its own steady clock how long this stands still.
    beat       bigint      NOT NULL DEFAULT 0,
    beat_at    timestamptz NOT NULL,
    lease_ms   bigint      NOT NULL,
    queues     text[]      NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX worker_alive ON compline.worker (id) WHERE ended_at IS NULL;

-- What the registry knows, for compline.enqueue and for people.
CREATE TABLE compline.kind (
    kind         text     PRIMARY KEY,
    queue        text     NOT NULL,
    priority     smallint NOT NULL,
    max_attempts smallint NOT NULL,
    encrypted    boolean  NOT NULL,
    is_unique    boolean  NOT NULL
);

CREATE TABLE compline.queue (
    name      text PRIMARY KEY,
    paused_at timestamptz,
    paused_by text,
    reason    text
);

-- Only live jobs: as small as the work in hand.
CREATE TABLE compline.job (
    id             uuid               NOT NULL,
    state          compline.job_state NOT NULL,
    fence          integer            NOT NULL DEFAULT 0,
    worker         integer,
    attempt        smallint           NOT NULL DEFAULT 0,
    max_attempts   smallint           NOT NULL,
    -- As many attempts as it was given at first: what a person's retry grants anew.
    budget         smallint           NOT NULL,
    priority       smallint           NOT NULL,
    waits_for      smallint           NOT NULL DEFAULT 0,
    has_dependents boolean            NOT NULL DEFAULT false,
    -- The place in the queue: run_at moved by a minute per step of priority, so that low priorities age.
    rank           timestamptz        NOT NULL,
    run_at         timestamptz        NOT NULL,
    created_at     timestamptz        NOT NULL,
    claimed_at     timestamptz,
    kind           text               NOT NULL,
    queue          text               NOT NULL,
    args           json               NOT NULL,
    unique_key     bytea,
    unique_release text,
    -- In the order of its bytes, as the programs that give turns compare it.
    tenant         text               COLLATE "C",
    tags           text[],
    metadata       json,
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_is_live CHECK (state IN ('scheduled', 'available', 'running', 'retryable', 'waiting')),
    CONSTRAINT job_runs_with_a_worker CHECK ((state = 'running') = (worker IS NOT NULL)),
    CONSTRAINT job_waits_for_somebody CHECK ((state = 'waiting') = (waits_for > 0)),
    CONSTRAINT job_numbers CHECK (attempt >= 0 AND max_attempts > 0 AND priority BETWEEN 1 AND 9),
    CONSTRAINT job_tenant_has_a_name CHECK (tenant <> '')
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- claim.sql, ready_queues.sql: each job is in one of the two.
CREATE INDEX job_ready ON compline.job (queue, rank, id) WHERE state = 'available' AND tenant IS NULL;
CREATE INDEX job_ready_by_tenant ON compline.job (queue, tenant, rank, id)
    WHERE state = 'available' AND tenant IS NOT NULL;
-- rescue.sql, forget_workers.sql, give_back_unheld, retire. Expressions, so that it is of no use to the statements
-- that look a job up by its id and see that it runs and its worker is the right one: with this index they would look at
-- all jobs that run, for each.
CREATE INDEX job_held ON compline.job ((worker + 0)) WHERE worker + 0 IS NOT NULL;
-- stage.sql
CREATE INDEX job_due ON compline.job (run_at) WHERE state IN ('scheduled', 'retryable');

CREATE TABLE compline.job_history (
    id           uuid               NOT NULL,
    state        compline.job_state NOT NULL,
    fence        integer            NOT NULL,
    worker       integer,
    attempt      smallint           NOT NULL,
    max_attempts smallint           NOT NULL,
    budget       smallint           NOT NULL,
    priority     smallint           NOT NULL,
    run_at       timestamptz        NOT NULL,
    created_at   timestamptz        NOT NULL,
    claimed_at   timestamptz,
    finished_at  timestamptz        NOT NULL,
    ran_us       bigint,
    kind         text               NOT NULL,
    queue        text               NOT NULL,
    args         json               NOT NULL,
    unique_key   bytea,
    unique_release text,
    tenant       text,
    tags         text[],
    metadata     json,
    result       json,
    error        text,
    CONSTRAINT job_history_pkey PRIMARY KEY (id),
    CONSTRAINT job_history_has_ended CHECK (state IN ('completed', 'cancelled', 'discarded'))
);
-- The dead letters are few, and they are what people look for.
CREATE INDEX job_history_not_completed ON compline.job_history (state, id) WHERE state <> 'completed';

-- Attempts that are not told by the job's own row: failures, repeats, and those that logged.
CREATE TABLE compline.job_attempt (
    job_id      uuid        NOT NULL,
    fence       integer     NOT NULL,
    attempt     smallint    NOT NULL,
    ending      text        NOT NULL,
    worker      integer,
    claimed_at  timestamptz,
    finished_at timestamptz NOT NULL,
    ran_us      bigint      NOT NULL,
    error       text,
    log         json,
    PRIMARY KEY (job_id, fence)
);

CREATE TABLE compline.job_step (
    job_id  uuid        NOT NULL,
    name    text        NOT NULL,
    key     text        NOT NULL,
    result  json,
    attempt smallint    NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (job_id, name)
);

CREATE TABLE compline.job_progress (
    job_id  uuid        PRIMARY KEY,
    done    bigint      NOT NULL,
    total   bigint      NOT NULL,
    message text        NOT NULL,
    at      timestamptz NOT NULL
) WITH (fillfactor = 50);

-- parent must end before child may run.
CREATE TABLE compline.job_dependency (
    parent     uuid NOT NULL,
    child      uuid NOT NULL,
    on_failure text NOT NULL CHECK (on_failure IN ('cancel', 'run')),
    PRIMARY KEY (parent, child)
);
CREATE INDEX job_dependency_child ON compline.job_dependency (child);

CREATE TABLE compline.unique_key (
    key     bytea    PRIMARY KEY,
    job_id  uuid     NOT NULL,
    release text     NOT NULL CHECK (release IN ('at_end', 'unless_completed', 'at')),
    until   timestamptz,
    CHECK ((release = 'at') = (until IS NOT NULL))
);
CREATE INDEX unique_key_until ON compline.unique_key (until) WHERE until IS NOT NULL;

CREATE TABLE compline.cancel_request (
    job_id uuid        PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text        NOT NULL,
    reason text        NOT NULL
);
