-- Takes up to $5 of what may still be done, of $4 at once and one more every $3, and before that gives back $6 that were
-- taken and not used. The same sum as store::rates::take. Index: caller_rate_pkey.
WITH asked AS MATERIALIZED (
    -- Nobody waits for the disk: a crash of the database forgets the last moments of this, and no more.
    SELECT set_config('synchronous_commit', 'off', true) AS lazily,
        (extract(epoch FROM coalesce($1::timestamptz, now())) * 1000000)::bigint AS present
)
INSERT INTO compline.caller_rate AS r (bucket, full_at, taken, keep_until)
SELECT $2, present + least($5, $4) * $3, least($5, $4), present + least($5, $4) * $3 + 3600000000
FROM asked
ON CONFLICT (bucket) DO UPDATE SET (full_at, taken, keep_until) = (
    SELECT base + takes * $3, takes,
        CASE WHEN r.keep_until >= base + takes * $3 THEN r.keep_until ELSE base + takes * $3 + 3600000000 END
    FROM asked,
        -- A clock that was set back holds nobody up for longer than all takes to come again.
        LATERAL (SELECT greatest(present, least(r.full_at - $6 * $3, present + $3 * $4)) AS base) AS stands,
        LATERAL (SELECT least($5, (present + $3 * $4 - base) / $3) AS takes) AS had)
RETURNING taken, full_at - (SELECT present FROM asked)
