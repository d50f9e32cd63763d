-- Its bytes still come. Index: upload_pkey.
UPDATE compline.upload
SET expires_at = coalesce($1::timestamptz, now()) + $3::bigint * interval '1 microsecond'
WHERE id = $2 AND state = 'receiving'
