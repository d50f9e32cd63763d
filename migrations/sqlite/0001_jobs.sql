-- Live jobs, their history, and who works on them. Ids are the 16 bytes of the UUID, times are
-- microseconds since 1970 in UTC.

CREATE TABLE worker (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    -- Who watches measures on its own steady clock how long this stands still.
    beat       INTEGER NOT NULL DEFAULT 0,
    beat_at    INTEGER NOT NULL,
    lease_ms   INTEGER NOT NULL,
    queues     TEXT    NOT NULL CHECK (json_valid(queues)),
    ended_at   INTEGER
) STRICT;
CREATE INDEX worker_alive ON worker (id) WHERE ended_at IS NULL;

-- What the registry knows, for people.
CREATE TABLE kind (
    kind         TEXT    NOT NULL PRIMARY KEY,
    queue        TEXT    NOT NULL,
    priority     INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    encrypted    INTEGER NOT NULL CHECK (encrypted IN (0, 1)),
    is_unique    INTEGER NOT NULL CHECK (is_unique IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
    name      TEXT NOT NULL PRIMARY KEY,
    paused_at INTEGER,
    paused_by TEXT,
    reason    TEXT
) STRICT, WITHOUT ROWID;

-- Only live jobs: as small as the work in hand.
CREATE TABLE job (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    state          TEXT    NOT NULL,
    fence          INTEGER NOT NULL DEFAULT 0,
    worker         INTEGER,
    attempt        INTEGER NOT NULL DEFAULT 0,
    max_attempts   INTEGER NOT NULL,
    -- The attempts it was enqueued with; a person's retry adds as many again.
    budget         INTEGER NOT NULL,
    priority       INTEGER NOT NULL,
    waits_for      INTEGER NOT NULL DEFAULT 0,
    has_dependents INTEGER NOT NULL DEFAULT 0 CHECK (has_dependents IN (0, 1)),
    -- The place in the queue: run_at moved by a minute per step of priority, so that low priorities age.
    rank           INTEGER NOT NULL,
    run_at         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    claimed_at     INTEGER,
    kind           TEXT    NOT NULL,
    queue          TEXT    NOT NULL,
    unique_key     BLOB,
    -- Kept with the job, because the key's own row is gone when an ended job is retried.
    unique_release TEXT,
    tenant         TEXT,
    tags           TEXT,
    metadata       TEXT    CHECK (metadata IS NULL OR json_valid(metadata)),
    args           TEXT    NOT NULL CHECK (json_valid(args)),
    CONSTRAINT job_is_live CHECK (state IN ('scheduled', 'available', 'running', 'retryable', 'waiting')),
    CONSTRAINT job_runs_with_a_worker CHECK ((state = 'running') = (worker IS NOT NULL)),
    CONSTRAINT job_waits_for_somebody CHECK ((state = 'waiting') = (waits_for > 0)),
    CONSTRAINT job_numbers CHECK (attempt >= 0 AND max_attempts > 0 AND priority BETWEEN 1 AND 9),
    CONSTRAINT job_tenant_has_a_name CHECK (tenant <> '')
) STRICT, WITHOUT ROWID;

-- claim.sql, claim_fair.sql, ready_queues.sql: with the tenant before the rank one index serves all three.
-- The id follows by itself, because the table has no rowid.
CREATE INDEX job_ready ON job (queue, tenant, rank) WHERE state = 'available';
-- stage.sql
CREATE INDEX job_due ON job (run_at) WHERE state IN ('scheduled', 'retryable');
-- rescue.sql, unheld.sql
CREATE INDEX job_held ON job (worker) WHERE worker IS NOT NULL;

CREATE TABLE job_history (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    state          TEXT    NOT NULL,
    fence          INTEGER NOT NULL,
    -- Whose report ended it; none when it was ended by anybody else.
    worker         INTEGER,
    attempt        INTEGER NOT NULL,
    max_attempts   INTEGER NOT NULL,
    budget         INTEGER NOT NULL,
    priority       INTEGER NOT NULL,
    run_at         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    claimed_at     INTEGER,
    finished_at    INTEGER NOT NULL,
    ran_us         INTEGER,
    kind           TEXT    NOT NULL,
    queue          TEXT    NOT NULL,
    unique_key     BLOB,
    unique_release TEXT,
    tenant         TEXT,
    tags           TEXT,
    metadata       TEXT,
    error          TEXT,
    args           TEXT    NOT NULL,
    result         TEXT,
    CONSTRAINT job_history_has_ended CHECK (state IN ('completed', 'cancelled', 'discarded'))
) STRICT, WITHOUT ROWID;
-- prune.sql: rules are per kind and state, so what is kept for ever is never walked over.
CREATE INDEX job_history_finished ON job_history (kind, state, finished_at);
-- jobs.rs: the dead letters are few, and they are what people look for.
CREATE INDEX job_history_not_completed ON job_history (state, id) WHERE state <> 'completed';

-- Attempts that are not told by the job's own row: failures, repeats, and those that logged.
CREATE TABLE job_attempt (
    job_id      BLOB    NOT NULL,
    fence       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    ending      TEXT    NOT NULL,
    worker      INTEGER,
    claimed_at  INTEGER,
    finished_at INTEGER NOT NULL,
    ran_us      INTEGER NOT NULL,
    error       TEXT,
    log         TEXT,
    PRIMARY KEY (job_id, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_step (
    job_id  BLOB    NOT NULL,
    name    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    result  TEXT,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (job_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_progress (
    job_id  BLOB    NOT NULL PRIMARY KEY,
    done    INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    message TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- parent must end before child may run.
CREATE TABLE job_dependency (
    parent     BLOB NOT NULL,
    child      BLOB NOT NULL,
    on_failure TEXT NOT NULL CHECK (on_failure IN ('cancel', 'run')),
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_dependency_child ON job_dependency (child);

CREATE TABLE unique_key (
    key     BLOB NOT NULL PRIMARY KEY,
    job_id  BLOB NOT NULL,
    release TEXT NOT NULL CHECK (release IN ('at_end', 'unless_completed', 'at')),
    until   INTEGER,
    CHECK ((release = 'at') = (until IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX unique_key_until ON unique_key (until) WHERE until IS NOT NULL;

CREATE TABLE cancel_request (
    job_id BLOB    NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    reason TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
