-- Gives a record these names and no others. One that belongs to another record stays there. In their order, so that no two who give
-- names wait for each other in a ring. Indexes: record_name_of, record_name_pkey.
WITH gone AS (
    DELETE FROM compline.record_name WHERE record = $1 AND name <> ALL ($4::text[])
)
INSERT INTO compline.record_name (collection, name, record, tenant)
SELECT DISTINCT $2::text, n.name, $1::bigint, $3::text FROM unnest($4::text[]) AS n (name) ORDER BY 2
ON CONFLICT (collection, name) DO NOTHING
