-- Tokens that services show. Of a secret its SHA-256 is kept, which is enough for 256 random bits. None is deleted: a
-- name stands in the audit log, and is of one token for ever.

CREATE TABLE access_token (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    -- The secret before this one, and until when it is let in.
    hash_before  BLOB    CHECK (length(hash_before) = 32),
    before_until INTEGER,
    -- A JSON list of names.
    permissions  TEXT    NOT NULL CHECK (json_type(permissions) = 'array'),
    -- None: the whole installation.
    tenant       TEXT    CHECK (length(tenant) BETWEEN 1 AND 128),
    -- Where it may be shown, a JSON list; an empty one is anywhere.
    networks     TEXT    NOT NULL CHECK (json_type(networks) = 'array'),
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER NOT NULL,
    rotated_at   INTEGER,
    revoked_at   INTEGER,
    used_at      INTEGER,
    CONSTRAINT access_token_name UNIQUE (name),
    CONSTRAINT access_token_before_ends CHECK ((hash_before IS NULL) = (before_until IS NULL))
) STRICT;
