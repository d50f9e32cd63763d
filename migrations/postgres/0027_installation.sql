-- Which installation this database is of, drawn once: what is told to others by this name is found again as ours, and not taken for that of another
-- installation that uses the same account. A restored database has the name that it had.

CREATE TABLE compline.installation (
    -- One row.
    sole    boolean     PRIMARY KEY DEFAULT true CHECK (sole),
    id      uuid        NOT NULL DEFAULT gen_random_uuid(),
    made_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO compline.installation DEFAULT VALUES;
