-- Tiles that became full. Appends to audit_tile.
INSERT INTO compline.audit_tile (level, number, hashes, era, tx, seq)
SELECT level, number, hashes, era, tx::text::xid8, seq
FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::integer[], $5::bigint[], $6::bigint[])
    AS t (level, number, hashes, era, tx, seq)
