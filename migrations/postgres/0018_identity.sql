-- People who sign in: who they are, the second factor that some have, the sessions they have open, and how often
-- somebody failed. No token is kept in any form; what a refresh token is made from is, and is worth nothing alone.

CREATE TABLE compline.identity_user (
    id                  uuid        PRIMARY KEY,
    -- As it was written, and as it is compared: two that differ in case alone are one.
    email               text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key           text        COLLATE "C" NOT NULL CHECK (length(email_key) BETWEEN 3 AND 508),
    name                text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role                text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    -- None: the whole installation.
    tenant              text        CHECK (length(tenant) BETWEEN 1 AND 128),
    -- Argon2id, in the form of the PHC.
    password            text        NOT NULL CHECK (starts_with(password, '$argon2id$')),
    password_changed_at timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    disabled_at         timestamptz,
    -- Sealed by the keyring. It counts from when a first code of it was shown.
    totp                text        CHECK (length(totp) BETWEEN 1 AND 4096),
    totp_since          timestamptz,
    -- The last time step whose code was used, since one works once.
    totp_step           bigint,
    CONSTRAINT identity_user_email UNIQUE (email_key),
    CONSTRAINT identity_user_counts_what_it_has CHECK (totp IS NOT NULL OR (totp_since IS NULL AND totp_step IS NULL))
);

-- Codes for whoever lost the second factor. One that was used is deleted.
CREATE TABLE compline.identity_recovery (
    user_id uuid  NOT NULL,
    -- SHA-256; the codes are random, and longer than anybody can try.
    code    bytea NOT NULL CHECK (length(code) = 32),
    PRIMARY KEY (user_id, code)
);

-- A sign-in and all the tokens that follow from it.
CREATE TABLE compline.identity_session (
    id             uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL,
    -- Goes into each refresh token, beside the key of the installation.
    seed           bytea       NOT NULL CHECK (length(seed) = 32),
    -- The refresh token that may be used next. The one before it was used at rotated_at, that before at rotated_before.
    generation     bigint      NOT NULL CHECK (generation >= 0),
    rotated_at     timestamptz,
    rotated_before timestamptz,
    created_at     timestamptz NOT NULL,
    used_at        timestamptz NOT NULL,
    -- Whatever is done with it.
    expires_at     timestamptz NOT NULL,
    user_agent     text        NOT NULL CHECK (length(user_agent) <= 200),
    source         text        NOT NULL CHECK (length(source) <= 64),
    ended_at       timestamptz,
    ended_why      text        CHECK (ended_why IN ('signed_out', 'revoked', 'reused', 'idle', 'expired', 'password_changed',
                                                    'disabled')),
    CONSTRAINT identity_session_ends_for_a_reason CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
CREATE INDEX identity_session_of_user ON compline.identity_session (user_id, created_at);
CREATE INDEX identity_session_expires ON compline.identity_session (expires_at);

-- How often somebody failed to sign in, by what was tried and from where.
CREATE TABLE compline.identity_failure (
    -- SHA-256, so that nobody reads here who mistyped what.
    door         bytea       PRIMARY KEY CHECK (length(door) = 32),
    failures     integer     NOT NULL CHECK (failures >= 0),
    last_at      timestamptz NOT NULL,
    locked_until timestamptz,
    -- When somebody last came in here.
    entered_at   timestamptz
);
CREATE INDEX identity_failure_last ON compline.identity_failure (last_at);
