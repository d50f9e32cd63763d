-- All of it is there and good. Index: upload_pkey.
UPDATE compline.upload
SET state = 'ready', bytes = $3, sha256 = $4, format = $5, is_scanned = $6,
    expires_at = coalesce($1::timestamptz, now()) + $7::bigint * interval '1 microsecond'
WHERE id = $2 AND state = 'receiving'
