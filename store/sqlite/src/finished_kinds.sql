-- The pairs of kind and state in the history: two seeks in job_history_finished per pair.
WITH RECURSIVE known (kind) AS (
    SELECT (SELECT min(kind) FROM job_history)
    UNION ALL
    SELECT (SELECT min(kind) FROM job_history WHERE kind > known.kind)
    FROM known
    WHERE known.kind IS NOT NULL
)
SELECT known.kind AS kind, final.value AS state
FROM known
CROSS JOIN json_each('["completed", "cancelled", "discarded"]') AS final
WHERE EXISTS (SELECT 1 FROM job_history WHERE kind = known.kind AND state = final.value)
