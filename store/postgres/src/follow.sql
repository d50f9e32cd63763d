-- Moves a reader on from where it is known to stand, and remembers when it took something; what was open when it began
-- matters until it has come past that. Primary key of follower.
UPDATE compline.follower
SET era = $5, tx = $6::bigint::text::xid8, seq = $7,
    begun_next = CASE WHEN era = $5 AND begun_next > $6::bigint::text::xid8 THEN begun_next END,
    begun_open = CASE WHEN era = $5 AND begun_next > $6::bigint::text::xid8 THEN begun_open END,
    taken_at = CASE WHEN $9 THEN coalesce($8::timestamptz, now()) ELSE taken_at END
WHERE name = $1 AND (era, tx, seq) = ($2::integer, $3::bigint::text::xid8, $4::bigint)
