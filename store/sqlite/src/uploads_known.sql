-- Those of these that are there. Primary key of upload.
SELECT id FROM upload WHERE id IN (SELECT unhex(value) FROM json_each(?1))
