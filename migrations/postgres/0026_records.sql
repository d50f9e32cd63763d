-- What families keep of things beyond jobs: one table for the things of all families, told apart by their collection. Nothing here is ever
-- pruned by itself.

CREATE TABLE compline.record (
    -- For names to point at; nobody is shown it.
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- FAMILY.THING.
    collection text        COLLATE "C" NOT NULL CHECK (octet_length(collection) BETWEEN 1 AND 100),
    -- None: of the installation, and of no tenant.
    tenant     text        COLLATE "C" CHECK (octet_length(tenant) BETWEEN 1 AND 128),
    key        text        COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 512),
    -- As record_name has them, in the order in which they were given.
    names      text[]      NOT NULL,
    state      text        COLLATE "C" NOT NULL CHECK (octet_length(state) BETWEEN 1 AND 64),
    -- When somebody is to look at it again.
    due_at     timestamptz,
    body       json        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    made_at    timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- The job, which may have been pruned since.
    changed_by uuid        NOT NULL,
    -- The attempt that alone acts on the thing, for as long as it runs; what stands here of one that does not is void.
    held_by    uuid,
    held_fence integer,
    CONSTRAINT record_is_held_by_an_attempt CHECK ((held_by IS NULL) = (held_fence IS NULL))
);
-- No tenant has an empty name, so it stands for none: two of no tenant are two of one key as well.
CREATE UNIQUE INDEX record_key ON compline.record (collection, key, coalesce(tenant, ''));
CREATE INDEX record_of_tenant ON compline.record (tenant, collection, key) WHERE tenant IS NOT NULL;
CREATE INDEX record_state ON compline.record (collection, state, key);
CREATE INDEX record_due ON compline.record (collection, due_at, key) WHERE due_at IS NOT NULL;

-- What others call a thing: a name is of one record in its collection, whoever's that is.
CREATE TABLE compline.record_name (
    collection text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 512),
    record     bigint NOT NULL REFERENCES compline.record ON DELETE CASCADE,
    -- The record's, which never changes.
    tenant     text   COLLATE "C",
    PRIMARY KEY (collection, name)
);
CREATE INDEX record_name_of ON compline.record_name (record);

ALTER TABLE compline.record ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.record USING (current_user <> 'compline_tenant' OR tenant = compline.tenant());
ALTER TABLE compline.record_name ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON compline.record_name USING (current_user <> 'compline_tenant' OR tenant = compline.tenant());
