-- What callers asked to have done once, each under a key of its own: a request that is sent again gets the answer it
-- had and is not carried out again. Rows are deleted after a day.

CREATE TABLE compline.request (
    -- SHA-256 of the caller and its key: keys are the callers' own words and may be about people.
    key         bytea       PRIMARY KEY CHECK (octet_length(key) = 32),
    -- SHA-256 of what was asked.
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- The ids that were answered, in the order of the jobs, and whether each was there before.
    answer      text        NOT NULL CHECK (answer LIKE '[%]'),
    at          timestamptz NOT NULL
);

CREATE INDEX request_at ON compline.request (at);
