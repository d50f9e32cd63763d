-- What callers asked to have done once, each under a key of its own: a request that is sent again gets the answer it
-- had and is not carried out again. Rows are deleted after a day.

CREATE TABLE request (
    -- SHA-256 of the caller and its key: keys are the callers' own words and may be about people.
    key         BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    -- SHA-256 of what was asked.
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    -- The ids that were answered, in the order of the jobs, and whether each was there before.
    answer      TEXT    NOT NULL CHECK (json_valid(answer)),
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX request_at ON request (at);
