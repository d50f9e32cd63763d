-- Which installation this file is of, drawn once: what is told to others by this name is found again as ours, and not taken for that of another
-- installation that uses the same account. A restored file has the name that it had.

CREATE TABLE installation (
    -- One row.
    sole INTEGER PRIMARY KEY DEFAULT 1 CHECK (sole = 1),
    id   BLOB    NOT NULL CHECK (length(id) = 16)
) STRICT;
INSERT INTO installation (id) VALUES (randomblob(16));
