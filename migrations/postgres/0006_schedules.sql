-- Schedules, and which of their fire times have their job.

CREATE TABLE compline.schedule (
    name       text        PRIMARY KEY,
    -- Who may change the definition: the configuration alone, or people and programs.
    source     text        NOT NULL CHECK (source IN ('config', 'api')),
    definition json        NOT NULL,
    -- Tells a definition that has changed from one that has not.
    digest     text        NOT NULL,
    enabled    boolean     NOT NULL,
    -- Grows with every change of the row: whoever read an older one may not fire.
    revision   bigint      NOT NULL DEFAULT 1,
    -- The first fire time that nobody has looked at yet. None when it is not to fire.
    next_fire  timestamptz,
    last_fire  timestamptz,
    missed     bigint      NOT NULL DEFAULT 0,
    last_error text,
    error_at   timestamptz,
    paused_at  timestamptz,
    paused_by  text,
    reason     text,
    -- It stood in the configuration and does no more.
    retired_at timestamptz,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT schedule_has_a_name CHECK (name <> ''),
    CONSTRAINT schedule_rests CHECK (next_fire IS NULL OR (enabled AND paused_at IS NULL AND retired_at IS NULL)),
    CONSTRAINT schedule_is_paused_by_somebody CHECK ((paused_at IS NULL) = (paused_by IS NULL)),
    CONSTRAINT schedule_error_has_a_time CHECK ((last_error IS NULL) = (error_at IS NULL)),
    CONSTRAINT schedule_retires_from_the_configuration CHECK (retired_at IS NULL OR source = 'config')
);
-- schedules_due.sql
CREATE INDEX schedule_due ON compline.schedule (next_fire) WHERE next_fire IS NOT NULL;

-- What makes a fire time fire once, however often it is asked for: by a tick, a person, a backfill.
CREATE TABLE compline.schedule_fire (
    schedule  text        NOT NULL,
    fire_time timestamptz NOT NULL,
    job_id    uuid        NOT NULL,
    fired_at  timestamptz NOT NULL,
    PRIMARY KEY (schedule, fire_time)
);
-- forget_fires.sql
CREATE INDEX schedule_fire_fired_at ON compline.schedule_fire (fired_at);
