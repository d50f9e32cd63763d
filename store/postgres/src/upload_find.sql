-- One upload within whose it may be, and the time. Index: upload_pkey.
SELECT u.id, u.tenant, u.state, u.name, u.bytes, u.sha256, u.format, u.is_scanned, u.created_at, u.created_by,
       u.expires_at, coalesce($1::timestamptz, now()) AS now
FROM compline.upload AS u
WHERE u.id = $2 AND ($3::text IS NULL OR u.tenant = $3)
