-- What opens a commitment. Index: audit_opening_pkey.
INSERT INTO compline.audit_opening (commitment, field, salt, value, subject, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (commitment) DO NOTHING
