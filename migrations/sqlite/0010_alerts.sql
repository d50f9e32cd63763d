-- What people are told. What happened is written down where it happens, in the same transaction (alert_news); one
-- process then folds it into what is the matter (alert); what is to be sent to whom, and whether it was, stands in
-- alert_delivery.

CREATE TABLE alert_news (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    -- What it is about: news of one key is one alert until that closes.
    key      TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    change   TEXT    NOT NULL CHECK (change IN ('happened', 'began', 'ended')),
    severity TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    kind     TEXT,
    queue    TEXT,
    text     TEXT    NOT NULL,
    count    INTEGER NOT NULL CHECK (count > 0),
    -- The first few: ids of 16 bytes, end to end.
    jobs     BLOB    NOT NULL DEFAULT x'' CHECK (length(jobs) % 16 = 0),
    details  TEXT    CHECK (details IS NULL OR json_valid(details))
) STRICT;

CREATE TABLE alert (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    key        TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    -- An event closes by itself when no more follow; a condition when it has ended.
    nature     TEXT    NOT NULL CHECK (nature IN ('event', 'condition')),
    severity   TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    kind       TEXT,
    queue      TEXT,
    text       TEXT    NOT NULL,
    count      INTEGER NOT NULL CHECK (count > 0),
    jobs       BLOB    NOT NULL CHECK (length(jobs) % 16 = 0),
    details    TEXT    CHECK (details IS NULL OR json_valid(details)),
    opened_at  INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    closed_at  INTEGER,
    acked_at   INTEGER,
    acked_by   TEXT,
    -- Whoever writes says which version it read.
    version    INTEGER NOT NULL DEFAULT 0,
    tellings   INTEGER NOT NULL DEFAULT 0,
    told_count INTEGER NOT NULL DEFAULT 0,
    -- When to look whether there is something to tell; nothing when there will not be.
    tell_at    INTEGER,
    CONSTRAINT alert_is_acked_by_somebody CHECK ((acked_at IS NULL) = (acked_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alert_open ON alert (key) WHERE closed_at IS NULL;
CREATE INDEX alert_to_tell ON alert (tell_at) WHERE tell_at IS NOT NULL;
CREATE INDEX alert_opened ON alert (opened_at);

CREATE TABLE alert_delivery (
    alert_id BLOB    NOT NULL,
    telling  INTEGER NOT NULL,
    -- Its name in the configuration; whom that means is read when it is sent.
    route    TEXT    NOT NULL,
    message  TEXT    NOT NULL CHECK (json_valid(message)),
    state    TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER NOT NULL,
    ended_at INTEGER,
    error    TEXT,
    PRIMARY KEY (alert_id, telling, route),
    CONSTRAINT alert_delivery_ends CHECK ((state = 'pending') = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_delivery_due ON alert_delivery (due_at) WHERE state = 'pending';
