-- Readers of the audit log that remember how far they are. One process writes at a time, so the number of an entry is
-- all there is to its place.

CREATE TABLE follower (
    name TEXT    NOT NULL PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT;
