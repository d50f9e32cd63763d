-- Files that were handed in over the network. The bytes lie elsewhere, under the id; here is whose they are and until when.

CREATE TABLE upload (
    -- The file has this name and no other.
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- None: of the installation, and of no tenant.
    tenant     TEXT    CHECK (length(CAST(tenant AS BLOB)) BETWEEN 1 AND 128),
    state      TEXT    NOT NULL CHECK (state IN ('receiving', 'ready')),
    -- As whoever sent it calls it. It may be about somebody, and goes with the row.
    name       TEXT    CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 1024),
    -- What is taken of the quota: what was announced, then what came.
    bytes      INTEGER NOT NULL CHECK (bytes >= 0),
    sha256     BLOB    CHECK (length(sha256) = 32),
    format     TEXT    CHECK (length(format) BETWEEN 1 AND 64),
    is_scanned INTEGER NOT NULL DEFAULT 0 CHECK (is_scanned IN (0, 1)),
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    -- Of one that is being received: when nobody goes on with it any more.
    expires_at INTEGER NOT NULL,
    CONSTRAINT upload_is_known_when_ready CHECK ((state = 'ready') = (sha256 IS NOT NULL AND format IS NOT NULL))
) STRICT;
-- For the quota, and for lists.
CREATE INDEX upload_tenant ON upload (tenant, id);
CREATE INDEX upload_expires_at ON upload (expires_at);

-- Which jobs name which uploads. While such a job has not ended, its upload stays.
CREATE TABLE upload_use (
    upload_id BLOB NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
    job_id    BLOB NOT NULL,
    PRIMARY KEY (upload_id, job_id)
) STRICT, WITHOUT ROWID;
