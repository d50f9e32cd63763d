-- Tokens that services show. Of a secret its SHA-256 is kept, which is enough for 256 random bits. None is deleted: a
-- name stands in the audit log, and is of one token for ever.

CREATE TABLE compline.access_token (
    id           uuid        PRIMARY KEY,
    name         text        COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    -- The secret before this one, and until when it is let in.
    hash_before  bytea       CHECK (length(hash_before) = 32),
    before_until timestamptz,
    permissions  text[]      NOT NULL CHECK (array_position(permissions, NULL) IS NULL),
    -- None: the whole installation.
    tenant       text        CHECK (length(tenant) BETWEEN 1 AND 128),
    -- Where it may be shown; none is anywhere.
    networks     text[]      NOT NULL CHECK (array_position(networks, NULL) IS NULL),
    created_at   timestamptz NOT NULL,
    created_by   text        NOT NULL,
    expires_at   timestamptz NOT NULL,
    rotated_at   timestamptz,
    revoked_at   timestamptz,
    used_at      timestamptz,
    CONSTRAINT access_token_name UNIQUE (name),
    CONSTRAINT access_token_before_ends CHECK ((hash_before IS NULL) = (before_until IS NULL))
);
