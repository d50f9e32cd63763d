-- What opens these commitments. Index: audit_opening_pkey.
SELECT commitment, field, salt, value, subject, at FROM compline.audit_opening WHERE commitment = ANY ($1)
