-- What outlives the jobs that made it, or that it is about: the list of models with where each stands, and what people
-- decided on the items of a job's result. All of it is only ever appended to, and none of it is pruned with jobs.

-- A model is a file that does not change; the list knows where it is and what it was made from.
CREATE TABLE model (
    -- In the order in which they came.
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The first digits of the hash.
    id            TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 8 AND 64),
    sha256        TEXT    NOT NULL CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
    -- Models of one name replace each other.
    name          TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version       INTEGER NOT NULL CHECK (version > 0),
    -- Models and data that fit have one.
    schema_sha256 TEXT    NOT NULL CHECK (length(schema_sha256) = 64 AND schema_sha256 NOT GLOB '*[^0-9a-f]*'),
    -- The first and the last day of what it was made from, as 2025-12-31.
    window_from   TEXT,
    window_to     TEXT,
    entries       INTEGER NOT NULL CHECK (entries >= 0),
    path          TEXT    NOT NULL CHECK (length(path) BETWEEN 1 AND 4096),
    -- The job, which may have been pruned since.
    made_by       BLOB    NOT NULL CHECK (length(made_by) = 16),
    made_at       INTEGER NOT NULL,
    CONSTRAINT model_name_version UNIQUE (name, version),
    CONSTRAINT model_id_begins_its_hash CHECK (id = substr(sha256, 1, length(id))),
    CONSTRAINT model_window_has_both_ends CHECK ((window_from IS NULL) = (window_to IS NULL))
) STRICT;

-- Where models stand, one row for each change; the last one of a model holds. One process writes at a time, so a name
-- has one champion at most.
CREATE TABLE model_standing (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    model    TEXT    NOT NULL,
    standing TEXT    NOT NULL CHECK (standing IN ('champion', 'challenger', 'retired')),
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL
) STRICT;
CREATE INDEX model_standing_of ON model_standing (model, seq);

-- What somebody decided on an item of a job's result, or said of it; the last decision on an item holds.
CREATE TABLE review (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    -- It may have been pruned since.
    job      BLOB    NOT NULL CHECK (length(job) = 16),
    -- As the result names it, in the order of its bytes.
    item     TEXT    NOT NULL CHECK (length(item) BETWEEN 1 AND 500),
    decision TEXT    NOT NULL CHECK (decision IN ('cleared', 'follow_up', 'comment')),
    -- 4,000 characters at most; longer by what it takes to seal them, where the kind is encrypted.
    comment  TEXT    CHECK (length(comment) BETWEEN 1 AND 32768),
    -- The person, as the caller named it.
    by_whom  TEXT    CHECK (length(by_whom) BETWEEN 1 AND 200),
    -- Who called.
    actor    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    CONSTRAINT review_comment_says_something CHECK (decision <> 'comment' OR comment IS NOT NULL)
) STRICT;
CREATE INDEX review_of_job ON review (job, seq);
CREATE INDEX review_of_item ON review (job, item, seq);
CREATE INDEX review_decided ON review (job, item, seq) WHERE decision <> 'comment';

-- INSERT OR REPLACE deletes without asking the triggers before it, so each table has a third.
CREATE TRIGGER model_is_not_changed BEFORE UPDATE ON model
BEGIN
    SELECT raise(ABORT, 'model is append-only');
END;

CREATE TRIGGER model_is_not_deleted BEFORE DELETE ON model
BEGIN
    SELECT raise(ABORT, 'model is append-only');
END;

CREATE TRIGGER model_is_not_replaced BEFORE INSERT ON model
WHEN EXISTS (SELECT 1 FROM model WHERE seq = NEW.seq OR id = NEW.id OR (name = NEW.name AND version = NEW.version))
BEGIN
    SELECT raise(ABORT, 'model is append-only');
END;

CREATE TRIGGER model_standing_is_not_changed BEFORE UPDATE ON model_standing
BEGIN
    SELECT raise(ABORT, 'model_standing is append-only');
END;

CREATE TRIGGER model_standing_is_not_deleted BEFORE DELETE ON model_standing
BEGIN
    SELECT raise(ABORT, 'model_standing is append-only');
END;

CREATE TRIGGER model_standing_is_not_replaced BEFORE INSERT ON model_standing
WHEN EXISTS (SELECT 1 FROM model_standing WHERE seq = NEW.seq)
BEGIN
    SELECT raise(ABORT, 'model_standing is append-only');
END;

CREATE TRIGGER review_is_not_changed BEFORE UPDATE ON review
BEGIN
    SELECT raise(ABORT, 'review is append-only');
END;

CREATE TRIGGER review_is_not_deleted BEFORE DELETE ON review
BEGIN
    SELECT raise(ABORT, 'review is append-only');
END;

CREATE TRIGGER review_is_not_replaced BEFORE INSERT ON review
WHEN EXISTS (SELECT 1 FROM review WHERE seq = NEW.seq)
BEGIN
    SELECT raise(ABORT, 'review is append-only');
END;
