-- Schedules, and which of their fire times have their job.

CREATE TABLE schedule (
    name       TEXT    NOT NULL PRIMARY KEY,
    -- Who may change the definition: the configuration alone, or people and programs.
    source     TEXT    NOT NULL CHECK (source IN ('config', 'api')),
    definition TEXT    NOT NULL CHECK (json_valid(definition)),
    -- Tells a definition that has changed from one that has not.
    digest     TEXT    NOT NULL,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Grows with every change of the row: whoever read an older one may not fire.
    revision   INTEGER NOT NULL DEFAULT 1,
    -- The first fire time that nobody has looked at yet. None when it is not to fire.
    next_fire  INTEGER,
    last_fire  INTEGER,
    missed     INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    error_at   INTEGER,
    paused_at  INTEGER,
    paused_by  TEXT,
    reason     TEXT,
    -- It stood in the configuration and does no more.
    retired_at INTEGER,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CONSTRAINT schedule_has_a_name CHECK (name <> ''),
    CONSTRAINT schedule_rests CHECK (next_fire IS NULL OR (enabled AND paused_at IS NULL AND retired_at IS NULL)),
    CONSTRAINT schedule_is_paused_by_somebody CHECK ((paused_at IS NULL) = (paused_by IS NULL)),
    CONSTRAINT schedule_error_has_a_time CHECK ((last_error IS NULL) = (error_at IS NULL)),
    CONSTRAINT schedule_retires_from_the_configuration CHECK (retired_at IS NULL OR source = 'config')
) STRICT, WITHOUT ROWID;
-- schedules_due.sql
CREATE INDEX schedule_due ON schedule (next_fire) WHERE next_fire IS NOT NULL;

-- What makes a fire time fire once, however often it is asked for: by a tick, a person, a backfill.
CREATE TABLE schedule_fire (
    schedule  TEXT    NOT NULL,
    fire_time INTEGER NOT NULL,
    job_id    BLOB    NOT NULL CHECK (length(job_id) = 16),
    fired_at  INTEGER NOT NULL,
    PRIMARY KEY (schedule, fire_time)
) STRICT, WITHOUT ROWID;
-- forget_fires.sql
CREATE INDEX schedule_fire_fired_at ON schedule_fire (fired_at);
