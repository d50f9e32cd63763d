-- What opens a commitment. Primary key of audit_opening.
INSERT INTO audit_opening (commitment, field, salt, value, subject, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (commitment) DO NOTHING
