-- What outlives the jobs that made it, or that it is about: the list of models with where each stands, and what people
-- decided on the items of a job's result. All of it is only ever appended to, and none of it is pruned with jobs.

CREATE FUNCTION compline.is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'compline.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- A model is a file that does not change; the list knows where it is and what it was made from.
CREATE TABLE compline.model (
    -- The first digits of the hash.
    id            text        PRIMARY KEY CHECK (length(id) BETWEEN 8 AND 64),
    -- In the order in which they came.
    seq           bigint      GENERATED ALWAYS AS IDENTITY,
    sha256        text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    -- Models of one name replace each other.
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version       integer     NOT NULL CHECK (version > 0),
    -- Models and data that fit have one.
    schema_sha256 text        NOT NULL CHECK (schema_sha256 ~ '^[0-9a-f]{64}$'),
    -- The first and the last day of what it was made from, as 2025-12-31.
    window_from   text,
    window_to     text,
    entries       bigint      NOT NULL CHECK (entries >= 0),
    path          text        NOT NULL CHECK (length(path) BETWEEN 1 AND 4096),
    -- The job, which may have been pruned since.
    made_by       uuid        NOT NULL,
    made_at       timestamptz NOT NULL,
    CONSTRAINT model_seq UNIQUE (seq),
    CONSTRAINT model_name_version UNIQUE (name, version),
    CONSTRAINT model_id_begins_its_hash CHECK (starts_with(sha256, id)),
    CONSTRAINT model_window_has_both_ends CHECK ((window_from IS NULL) = (window_to IS NULL))
);

-- Where models stand, one row for each change; the last one of a model holds. Whoever promotes takes a lock first, so a
-- name has one champion at most.
CREATE TABLE compline.model_standing (
    seq      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model    text        NOT NULL,
    standing text        NOT NULL CHECK (standing IN ('champion', 'challenger', 'retired')),
    at       timestamptz NOT NULL,
    actor    text        NOT NULL
);
CREATE INDEX model_standing_of ON compline.model_standing (model, seq);

-- What somebody decided on an item of a job's result, or said of it; the last decision on an item holds.
CREATE TABLE compline.review (
    seq      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- It may have been pruned since.
    job      uuid        NOT NULL,
    -- As the result names it, in the order of its bytes.
    item     text        COLLATE "C" NOT NULL CHECK (length(item) BETWEEN 1 AND 500),
    decision text        NOT NULL CHECK (decision IN ('cleared', 'follow_up', 'comment')),
    -- 4,000 characters at most; longer by what it takes to seal them, where the kind is encrypted.
    comment  text        CHECK (length(comment) BETWEEN 1 AND 32768),
    -- The person, as the caller named it.
    by_whom  text        CHECK (length(by_whom) BETWEEN 1 AND 200),
    -- Who called.
    actor    text        NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT review_comment_says_something CHECK (decision <> 'comment' OR comment IS NOT NULL)
);
CREATE INDEX review_of_job ON compline.review (job, seq);
CREATE INDEX review_of_item ON compline.review (job, item, seq);
CREATE INDEX review_decided ON compline.review (job, item, seq) WHERE decision <> 'comment';

CREATE TRIGGER model_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.model
    FOR EACH STATEMENT EXECUTE FUNCTION compline.is_append_only();
CREATE TRIGGER model_standing_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.model_standing
    FOR EACH STATEMENT EXECUTE FUNCTION compline.is_append_only();
CREATE TRIGGER review_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.review
    FOR EACH STATEMENT EXECUTE FUNCTION compline.is_append_only();
