-- The first of these names that belongs to another record. Primary key of record_name.
SELECT n.value AS name
FROM json_each(?3) AS n
CROSS JOIN record_name AS r ON r.collection = ?2 AND r.name = n.value
WHERE r.record IS NOT ?1
ORDER BY n.key
LIMIT 1
