-- Entries that meet all conditions, newest first. Index: audit_entry_pkey, walked back from $1, and not past $2: the numbers
-- between which entries of that time stand, as seq_at.sql finds them.
SELECT era, tx::text::bigint AS tx, seq, at, actor, action, object, outcome, tenant, request, source, jobs, details
FROM compline.audit_entry
WHERE seq < $1 AND seq >= $2
  AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)
  AND ($5::text IS NULL OR actor = $5)
  AND ($6::text IS NULL OR action = $6 OR (right($6, 1) = '.' AND starts_with(action, $6)))
  AND ($7::text IS NULL OR object = $7)
  AND ($8::text IS NULL OR outcome = $8)
  AND ($9::text IS NULL OR tenant = $9)
  AND ($10::text IS NULL OR request = $10 OR $10 = ANY (string_to_array(regexp_replace(request, '\*\d+', '', 'g'), ' ')))
  AND ($11::uuid IS NULL OR $11 = ANY (jobs))
ORDER BY seq DESC
LIMIT $12
