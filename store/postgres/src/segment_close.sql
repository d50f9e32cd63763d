-- Index: audit_segment_pkey.
INSERT INTO compline.audit_segment (number, first, until, root, era, tx, seq, ends_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6::bigint::text::xid8, $7, $8, coalesce($9::timestamptz, now()))
ON CONFLICT (number) DO NOTHING
