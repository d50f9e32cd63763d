-- Limits of rate and concurrency across all processes, pauses with an end, and circuit breakers.

-- What is limited, as the configuration says; published by the processes that work.
CREATE TABLE limit_rule (
    name        TEXT    NOT NULL PRIMARY KEY,
    kinds       TEXT    NOT NULL CHECK (json_valid(kinds)),
    queues      TEXT    NOT NULL CHECK (json_valid(queues)),
    keyed_by    TEXT    NOT NULL,
    -- So many starts in so many seconds, evenly, and a burst of them at once.
    starts      INTEGER,
    seconds     INTEGER,
    burst       INTEGER NOT NULL DEFAULT 1,
    concurrency INTEGER,
    CONSTRAINT limit_rule_limits_something CHECK (starts IS NOT NULL OR concurrency IS NOT NULL),
    CONSTRAINT limit_rule_numbers CHECK (starts > 0 AND seconds > 0 AND burst > 0 AND concurrency > 0),
    CONSTRAINT limit_rule_rate CHECK ((starts IS NULL) = (seconds IS NULL))
) STRICT, WITHOUT ROWID;

-- Grows with every change of the rules; the lanes of all jobs say what the rules said at `laned`.
CREATE TABLE limit_set (
    one     INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    version INTEGER NOT NULL DEFAULT 0,
    laned   INTEGER NOT NULL DEFAULT 0,
    CHECK (laned <= version)
) STRICT;
INSERT INTO limit_set DEFAULT VALUES;

-- One per limit and key. The jobs that run in it are counted in the jobs themselves.
CREATE TABLE bucket (
    name         TEXT NOT NULL PRIMARY KEY,
    -- When the next may begin if they come evenly: nanoseconds since 1970.
    next_start   INTEGER,
    paused_until INTEGER,
    paused_by    TEXT,
    reason       TEXT,
    CONSTRAINT bucket_is_paused_by_somebody CHECK ((paused_until IS NULL) = (paused_by IS NULL))
) STRICT, WITHOUT ROWID;

-- Failures of a provider in a row, and until when nobody asks it.
CREATE TABLE breaker (
    name        TEXT    NOT NULL PRIMARY KEY,
    failures    INTEGER NOT NULL CHECK (failures >= 0),
    open_until  INTEGER,
    -- One tries whether the other side is back; if it is not heard of again by then, the next may.
    probe_until INTEGER,
    CHECK (probe_until IS NULL OR open_until IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- A queue may be paused until a time.
ALTER TABLE queue ADD COLUMN resume_at INTEGER CHECK (resume_at IS NULL OR paused_at IS NOT NULL);

-- The buckets of a job, one on a line, and its tenant. Those without a lane are limited by nothing, and are claimed as
-- before: the index they are found with does not know the others.
ALTER TABLE job ADD COLUMN lane TEXT CHECK (lane <> '');
ALTER TABLE job_history ADD COLUMN lane TEXT;
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (queue, tenant, rank) WHERE state = 'available' AND lane IS NULL;
-- lanes.sql, claim_lanes.sql, ready_queues.sql
CREATE INDEX job_ready_in_lane ON job (queue, lane, rank) WHERE state = 'available' AND lane IS NOT NULL;
-- buckets_look.sql
CREATE INDEX job_running_in_lane ON job (lane) WHERE state = 'running' AND lane IS NOT NULL;
