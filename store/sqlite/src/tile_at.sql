-- The tile of leaves in which an entry lies, or the one before it. Index audit_tile_place.
SELECT level, number, hashes, seq FROM audit_tile WHERE level = 0 AND seq <= ?1 ORDER BY seq DESC LIMIT 1
