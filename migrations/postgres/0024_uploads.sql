-- Files that were handed in over the network. The bytes lie elsewhere, under the id; here is whose they are and until when.

CREATE TABLE compline.upload (
    -- The file has this name and no other.
    id         uuid        PRIMARY KEY,
    -- None: of the installation, and of no tenant.
    tenant     text        CHECK (octet_length(tenant) BETWEEN 1 AND 128),
    state      text        NOT NULL CHECK (state IN ('receiving', 'ready')),
    -- As whoever sent it calls it. It may be about somebody, and goes with the row.
    name       text        CHECK (octet_length(name) BETWEEN 1 AND 1024),
    -- What is taken of the quota: what was announced, then what came.
    bytes      bigint      NOT NULL CHECK (bytes >= 0),
    sha256     bytea       CHECK (length(sha256) = 32),
    format     text        CHECK (octet_length(format) BETWEEN 1 AND 64),
    is_scanned boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    created_by text        NOT NULL,
    -- Of one that is being received: when nobody goes on with it any more.
    expires_at timestamptz NOT NULL,
    CONSTRAINT upload_is_known_when_ready CHECK ((state = 'ready') = (sha256 IS NOT NULL AND format IS NOT NULL))
);
-- For the quota, and for lists.
CREATE INDEX upload_tenant ON compline.upload (tenant, id);
CREATE INDEX upload_expires_at ON compline.upload (expires_at);

-- Which jobs name which uploads. While such a job has not ended, its upload stays.
CREATE TABLE compline.upload_use (
    upload_id uuid NOT NULL REFERENCES compline.upload ON DELETE CASCADE,
    job_id    uuid NOT NULL,
    PRIMARY KEY (upload_id, job_id)
);

ALTER TABLE compline.upload ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.upload USING (current_user <> 'compline_tenant' OR tenant = compline.tenant());
ALTER TABLE compline.upload_use ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.upload_use USING (current_user <> 'compline_tenant' OR compline.is_tenants_job(job_id));
