-- How often whoever calls the API may still call: one row for each of those who called lately.

CREATE TABLE caller_rate (
    -- SHA-256 of what is counted and for whom, so that nobody reads here who called from where.
    bucket     BLOB    NOT NULL PRIMARY KEY CHECK (length(bucket) = 32),
    -- When all that is allowed at once is there again, in microseconds.
    full_at    INTEGER NOT NULL,
    -- What the last statement took, which is how it tells.
    taken      INTEGER NOT NULL CHECK (taken >= 0),
    -- Never before full_at, and moved once an hour, so that most changes leave the index alone.
    keep_until INTEGER NOT NULL,
    CONSTRAINT caller_rate_is_kept_while_it_counts CHECK (keep_until >= full_at)
) STRICT;
CREATE INDEX caller_rate_keep_until ON caller_rate (keep_until);
