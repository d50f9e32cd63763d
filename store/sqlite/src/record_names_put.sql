-- Gives a record names that are nobody else's. Primary key of record_name.
INSERT INTO record_name (collection, name, record, tenant)
SELECT ?2, value, ?1, ?3 FROM json_each(?4) WHERE true
ON CONFLICT (collection, name) DO NOTHING
