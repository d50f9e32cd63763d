-- The tile of leaves in which a place of the log lies, or the one before it. Index: audit_tile_place.
SELECT level, number, hashes, era, tx::text::bigint AS tx, seq FROM compline.audit_tile
WHERE level = 0 AND (era, audit_tile.tx, seq) <= ($1::integer, $2::bigint::text::xid8, $3::bigint)
ORDER BY era DESC, audit_tile.tx DESC, seq DESC LIMIT 1
