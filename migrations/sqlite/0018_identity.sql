-- People who sign in: who they are, the second factor that some have, the sessions they have open, and how often
-- somebody failed. No token is kept in any form; what a refresh token is made from is, and is worth nothing alone.

CREATE TABLE identity_user (
    id                  BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- As it was written, and as it is compared: two that differ in case alone are one.
    email               TEXT    NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key           TEXT    NOT NULL CHECK (length(email_key) BETWEEN 3 AND 508),
    name                TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role                TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    -- None: the whole installation.
    tenant              TEXT    CHECK (length(tenant) BETWEEN 1 AND 128),
    -- Argon2id, in the form of the PHC.
    password            TEXT    NOT NULL CHECK (password GLOB '$argon2id$*'),
    password_changed_at INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    disabled_at         INTEGER,
    -- Sealed by the keyring. It counts from when a first code of it was shown.
    totp                TEXT    CHECK (length(totp) BETWEEN 1 AND 4096),
    totp_since          INTEGER,
    -- The last time step whose code was used, since one works once.
    totp_step           INTEGER,
    CONSTRAINT identity_user_email UNIQUE (email_key),
    CONSTRAINT identity_user_counts_what_it_has CHECK (totp IS NOT NULL OR (totp_since IS NULL AND totp_step IS NULL))
) STRICT;

-- Codes for whoever lost the second factor. One that was used is deleted.
CREATE TABLE identity_recovery (
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    -- SHA-256; the codes are random, and longer than anybody can try.
    code    BLOB NOT NULL CHECK (length(code) = 32),
    PRIMARY KEY (user_id, code)
) STRICT, WITHOUT ROWID;

-- A sign-in and all the tokens that follow from it.
CREATE TABLE identity_session (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id        BLOB    NOT NULL CHECK (length(user_id) = 16),
    -- Goes into each refresh token, beside the key of the installation.
    seed           BLOB    NOT NULL CHECK (length(seed) = 32),
    -- The refresh token that may be used next. The one before it was used at rotated_at, that before at rotated_before.
    generation     INTEGER NOT NULL CHECK (generation >= 0),
    rotated_at     INTEGER,
    rotated_before INTEGER,
    created_at     INTEGER NOT NULL,
    used_at        INTEGER NOT NULL,
    -- Whatever is done with it.
    expires_at     INTEGER NOT NULL,
    user_agent     TEXT    NOT NULL CHECK (length(user_agent) <= 200),
    source         TEXT    NOT NULL CHECK (length(source) <= 64),
    ended_at       INTEGER,
    ended_why      TEXT    CHECK (ended_why IN ('signed_out', 'revoked', 'reused', 'idle', 'expired', 'password_changed',
                                                'disabled')),
    CONSTRAINT identity_session_ends_for_a_reason CHECK ((ended_at IS NULL) = (ended_why IS NULL))
) STRICT;
CREATE INDEX identity_session_of_user ON identity_session (user_id, created_at);
CREATE INDEX identity_session_expires ON identity_session (expires_at);

-- How often somebody failed to sign in, by what was tried and from where.
CREATE TABLE identity_failure (
    -- SHA-256, so that nobody reads here who mistyped what.
    door         BLOB    NOT NULL PRIMARY KEY CHECK (length(door) = 32),
    failures     INTEGER NOT NULL CHECK (failures >= 0),
    last_at      INTEGER NOT NULL,
    locked_until INTEGER,
    -- When somebody last came in here.
    entered_at   INTEGER
) STRICT;
CREATE INDEX identity_failure_last ON identity_failure (last_at);
