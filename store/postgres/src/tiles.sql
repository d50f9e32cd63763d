-- Full tiles by their names. Index: audit_tile_pkey.
SELECT t.level, t.number, t.hashes, t.era, t.tx::text::bigint AS tx, t.seq
FROM unnest($1::smallint[], $2::bigint[]) AS wanted (level, number)
JOIN compline.audit_tile t ON t.level = wanted.level AND t.number = wanted.number
