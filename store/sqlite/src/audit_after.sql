-- A range of audit_entry's primary key, until the entries are too heavy together.
SELECT seq, at, actor, action, object, outcome, tenant, request, source, jobs, details, looked_at
FROM (
    SELECT *, count(*) OVER () AS looked_at,
           sum(200 + coalesce(octet_length(details), 0) + 40 * (coalesce(length(jobs), 0) / 16)) OVER (ORDER BY seq) AS bytes,
           row_number() OVER (ORDER BY seq) AS place
    FROM (
        SELECT seq, at, actor, action, object, outcome, tenant, request, source, jobs, details
        FROM audit_entry
        WHERE seq > ?1
        ORDER BY seq
        LIMIT ?2
    )
)
WHERE bytes <= ?3 OR place = 1
ORDER BY seq
