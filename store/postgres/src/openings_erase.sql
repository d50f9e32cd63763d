-- Deletes what opens commitments: of one subject, or these, or those from before $3 of the field $4 or of any. Indexes:
-- audit_opening_subject, audit_opening_pkey; those from before a time are looked for in the whole table.
DELETE FROM compline.audit_opening WHERE commitment IN (
    SELECT commitment FROM compline.audit_opening
    WHERE ($1::text IS NULL OR subject = $1)
      AND ($2::text[] IS NULL OR commitment = ANY ($2))
      AND ($3::timestamptz IS NULL OR at < $3)
      AND ($4::text IS NULL OR field = $4)
    ORDER BY commitment LIMIT $5 FOR UPDATE SKIP LOCKED)
RETURNING commitment
