-- Takes up to ?5 of what may still be done, of ?4 at once and one more every ?3, and before that gives back ?6 that were
-- taken and not used. The same sum as store::rates::take. Primary key.
INSERT INTO caller_rate AS r (bucket, full_at, taken, keep_until)
VALUES (?2, ?1 + min(?5, ?4) * ?3, min(?5, ?4), ?1 + min(?5, ?4) * ?3 + 3600000000)
ON CONFLICT (bucket) DO UPDATE SET (full_at, taken, keep_until) = (
    SELECT base + takes * ?3, takes,
        CASE WHEN r.keep_until >= base + takes * ?3 THEN r.keep_until ELSE base + takes * ?3 + 3600000000 END
    FROM (
        SELECT base, min(?5, (?1 + ?3 * ?4 - base) / ?3) AS takes
        -- A clock that was set back holds nobody up for longer than all takes to come again.
        FROM (SELECT max(?1, min(r.full_at - ?6 * ?3, ?1 + ?3 * ?4)) AS base)))
RETURNING taken, full_at - ?1 AS behind
