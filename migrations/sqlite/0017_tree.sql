-- Entries know where they come from, and stand in a tree whose root can be signed.

ALTER TABLE audit_entry ADD COLUMN request TEXT;
ALTER TABLE audit_entry ADD COLUMN source  TEXT;

-- Where the tree stands: how many leaves it has, the last of them in the log, and the hashes at its right edge. One
-- row, which moves on with every batch of leaves.
CREATE TABLE audit_tree (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    size      INTEGER NOT NULL CHECK (size >= 0),
    seq       INTEGER NOT NULL,
    -- The first entry of the tile of leaves that is not full yet.
    first_seq INTEGER NOT NULL,
    edge      BLOB    NOT NULL
) STRICT;

-- Full tiles of 256 hashes. Those of level 0 are hashes of leaves, and name their first entry.
CREATE TABLE audit_tile (
    level  INTEGER NOT NULL CHECK (level >= 0),
    number INTEGER NOT NULL CHECK (number >= 0),
    hashes BLOB    NOT NULL CHECK (length(hashes) = 8192),
    seq    INTEGER,
    PRIMARY KEY (level, number),
    CHECK ((level = 0) = (seq IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- tile_of.sql
CREATE INDEX audit_tile_place ON audit_tile (seq) WHERE level = 0;

-- What was signed, and how far each anchor has it.
CREATE TABLE audit_checkpoint (
    size INTEGER NOT NULL PRIMARY KEY CHECK (size >= 0),
    at   INTEGER NOT NULL,
    note TEXT    NOT NULL
) STRICT;

CREATE TABLE audit_anchor (
    name TEXT    NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    at   INTEGER NOT NULL
) STRICT;

-- What opens the commitments that stand for personal data in entries. To delete a row is to erase the datum: what
-- is left is a hash under a salt that nobody has.
CREATE TABLE audit_opening (
    commitment TEXT    NOT NULL PRIMARY KEY,
    field      TEXT    NOT NULL,
    salt       BLOB    NOT NULL CHECK (length(salt) = 32),
    value      TEXT    NOT NULL,
    -- Whose it is: all of one person is erased at once.
    subject    TEXT    NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_opening_subject ON audit_opening (subject);

CREATE TRIGGER audit_tile_is_not_changed BEFORE UPDATE ON audit_tile
BEGIN
    SELECT raise(ABORT, 'audit_tile is append-only');
END;
CREATE TRIGGER audit_tile_is_not_deleted BEFORE DELETE ON audit_tile
BEGIN
    SELECT raise(ABORT, 'audit_tile is append-only');
END;
CREATE TRIGGER audit_checkpoint_is_not_changed BEFORE UPDATE ON audit_checkpoint
BEGIN
    SELECT raise(ABORT, 'audit_checkpoint is append-only');
END;
CREATE TRIGGER audit_checkpoint_is_not_deleted BEFORE DELETE ON audit_checkpoint
BEGIN
    SELECT raise(ABORT, 'audit_checkpoint is append-only');
END;
