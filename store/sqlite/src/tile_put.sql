-- A tile that became full. Appends to audit_tile.
INSERT INTO audit_tile (level, number, hashes, seq) VALUES (?1, ?2, ?3, ?4)
