-- Uploads, the newest first. Indexes: upload_pkey, and upload_tenant for one tenant's.
SELECT u.id, u.tenant, u.state, u.name, u.bytes, u.sha256, u.format, u.is_scanned, u.created_at, u.created_by,
       u.expires_at
FROM compline.upload AS u
WHERE ($1::uuid IS NULL OR u.id < $1) AND ($3::text IS NULL OR u.tenant = $3)
ORDER BY u.id DESC
LIMIT $2
