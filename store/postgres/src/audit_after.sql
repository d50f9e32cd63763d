-- Entries behind a position, oldest first, until they are too heavy together. Index: audit_entry_position.
--
-- Of this era only those of transactions below every one that is still open: no other entry can come to stand among
-- them. One that somebody keeps open holds the readers up, and nobody else.
SELECT era, tx, seq, at, actor, action, object, outcome, tenant, request, source, jobs, details, looked_at
FROM (
    SELECT *, count(*) OVER () AS looked_at,
           sum(200 + coalesce(octet_length(details::text), 0) + 40 * coalesce(cardinality(jobs), 0))
               OVER (ORDER BY era, tx, seq) AS bytes,
           row_number() OVER (ORDER BY era, tx, seq) AS place
    FROM (
        SELECT era, tx::text::bigint AS tx, seq, at, actor, action, object, outcome, tenant, request, source, jobs, details
        FROM compline.audit_entry
        WHERE (era, audit_entry.tx, seq) > ($1::integer, $2::bigint::text::xid8, $3::bigint)
          AND (audit_entry.tx < (SELECT compline.horizon()) OR era < (SELECT max(number) FROM compline.era))
        ORDER BY era, audit_entry.tx, seq
        LIMIT $4::bigint
    ) behind
) page
WHERE bytes <= $5::bigint OR place = 1
ORDER BY era, tx, seq
