-- Index: audit_segment_pkey.
UPDATE compline.audit_segment SET dropped_at = coalesce($2::timestamptz, now()) WHERE number = $1 AND dropped_at IS NULL
