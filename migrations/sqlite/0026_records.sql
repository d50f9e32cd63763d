-- What families keep of things beyond jobs: one table for the things of all families, told apart by their collection. Nothing here is ever
-- pruned by itself.

CREATE TABLE record (
    -- For names to point at; nobody is shown it.
    id         INTEGER PRIMARY KEY,
    -- FAMILY.THING.
    collection TEXT    NOT NULL CHECK (length(CAST(collection AS BLOB)) BETWEEN 1 AND 100),
    -- None: of the installation, and of no tenant.
    tenant     TEXT    CHECK (length(CAST(tenant AS BLOB)) BETWEEN 1 AND 128),
    key        TEXT    NOT NULL CHECK (length(CAST(key AS BLOB)) BETWEEN 1 AND 512),
    -- As record_name has them, in the order in which they were given.
    names      TEXT    NOT NULL CHECK (json_valid(names)),
    state      TEXT    NOT NULL CHECK (length(CAST(state AS BLOB)) BETWEEN 1 AND 64),
    -- When somebody is to look at it again.
    due_at     INTEGER,
    body       TEXT    NOT NULL CHECK (json_valid(body)),
    version    INTEGER NOT NULL CHECK (version > 0),
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    -- The job, which may have been pruned since.
    changed_by BLOB    NOT NULL,
    -- The attempt that alone acts on the thing, for as long as it runs; what stands here of one that does not is void.
    held_by    BLOB,
    held_fence INTEGER,
    CONSTRAINT record_is_held_by_an_attempt CHECK ((held_by IS NULL) = (held_fence IS NULL))
) STRICT;
-- No tenant has an empty name, so it stands for none: two of no tenant are two of one key as well.
CREATE UNIQUE INDEX record_key ON record (collection, key, coalesce(tenant, ''));
CREATE INDEX record_of_tenant ON record (tenant, collection, key) WHERE tenant IS NOT NULL;
CREATE INDEX record_state ON record (collection, state, key);
CREATE INDEX record_due ON record (collection, due_at, key) WHERE due_at IS NOT NULL;

-- What others call a thing: a name is of one record in its collection, whoever's that is.
CREATE TABLE record_name (
    collection TEXT    NOT NULL,
    name       TEXT    NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 512),
    record     INTEGER NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    -- The record's, which never changes.
    tenant     TEXT,
    PRIMARY KEY (collection, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_name_of ON record_name (record);
