-- Moves a reader on from where it is known to stand. Primary key of follower.
UPDATE compline.follower SET era = $5, tx = $6::bigint::text::xid8, seq = $7
WHERE name = $1 AND (era, tx, seq) = ($2::integer, $3::bigint::text::xid8, $4::bigint)
