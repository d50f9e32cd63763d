-- When a token was last shown, if that is long enough after what is written. Index: access_token_pkey.
UPDATE compline.access_token
SET used_at = coalesce($1::timestamptz, now())
WHERE id = $2
  AND coalesce(used_at <= coalesce($1::timestamptz, now()) - $3::bigint * interval '1 microsecond', TRUE)
