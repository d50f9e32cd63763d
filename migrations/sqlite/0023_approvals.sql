-- Approvals: what waits for other people to look at it, bound to a hash of exactly what will be done. Rows are kept: they are
-- evidence, as the audit log is.

CREATE TABLE approval (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    action     TEXT    NOT NULL,
    -- JSON, exactly what will be done; the hash is over the salt and these bytes.
    what       TEXT    NOT NULL,
    salt       BLOB    NOT NULL CHECK (length(salt) = 16),
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    tenant     TEXT    CHECK (tenant <> ''),
    author     TEXT    NOT NULL,
    people     INTEGER NOT NULL CHECK (people IN (1, 2)),
    permission TEXT    NOT NULL,
    -- The job that waits for it, where it is a job's.
    job_id     BLOB    CHECK (length(job_id) = 16),
    state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'granted', 'refused', 'withdrawn', 'used', 'expired')),
    asked_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    reason     TEXT,
    CONSTRAINT approval_ends CHECK ((state IN ('pending', 'granted')) = (ended_at IS NULL))
) STRICT;
-- approvals_over.sql, approvals_open.sql
CREATE INDEX approval_open ON approval (expires_at) WHERE state IN ('pending', 'granted');
-- approvals_of_jobs.sql, approvals.sql
CREATE UNIQUE INDEX approval_job ON approval (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE approval_vote (
    approval_id BLOB    NOT NULL REFERENCES approval,
    voter       TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('grant', 'refuse')),
    reason      TEXT,
    at          INTEGER NOT NULL,
    PRIMARY KEY (approval_id, voter)
) STRICT;

-- What must be given before a job of the kind runs.
ALTER TABLE kind ADD COLUMN approval_people INTEGER CHECK (approval_people IN (1, 2));
ALTER TABLE kind ADD COLUMN approval_permission TEXT;
ALTER TABLE kind ADD COLUMN approval_expires_us INTEGER;

-- Who said last what it does: the author of what it enqueues. None of before.
ALTER TABLE schedule ADD COLUMN put_by TEXT;
