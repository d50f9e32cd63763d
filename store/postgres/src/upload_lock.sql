-- Uploads that jobs are about to name; nobody deletes them meanwhile. In the order of their ids, so that no two wait for
-- each other. Index: upload_pkey.
SELECT u.id, u.tenant, u.state, u.name, u.bytes, u.sha256, u.format, u.is_scanned, u.created_at, u.created_by,
       u.expires_at, coalesce($1::timestamptz, now()) AS now
FROM compline.upload AS u
WHERE u.id = ANY ($2)
ORDER BY u.id
FOR SHARE
