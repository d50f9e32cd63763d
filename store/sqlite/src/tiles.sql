-- A full tile by its name. Primary key of audit_tile.
SELECT level, number, hashes, seq FROM audit_tile WHERE level = ?1 AND number = ?2
