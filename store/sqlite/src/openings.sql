-- What opens these commitments. Primary key of audit_opening.
SELECT commitment, field, salt, value, subject, at FROM audit_opening
WHERE commitment IN (SELECT value FROM json_each(?1))
