-- The first of these names that the record did not get. One that its owner gave up just now is not the record's either. Index:
-- record_name_pkey.
SELECT n.name
FROM unnest($3::text[]) WITH ORDINALITY AS n (name, place)
LEFT JOIN compline.record_name AS r ON r.collection = $2 AND r.name = n.name
WHERE r.record IS DISTINCT FROM $1
ORDER BY n.place
LIMIT 1
