-- Jobs that people were to approve and did not, or that are not what was approved any more. What a retry changes may differ.
-- Primary keys of job_history and kind, index approval_job.
SELECT h.id AS job_id, a.id AS id, a.state AS state
FROM json_each(?1) AS named
CROSS JOIN job_history AS h ON h.id = unhex(named.value)
LEFT JOIN approval AS a ON a.job_id = h.id
LEFT JOIN kind AS k ON k.kind = h.kind
WHERE CASE
    WHEN a.id IS NULL THEN k.approval_people IS NOT NULL
    ELSE a.state <> 'used'
        OR json_object('kind', h.kind, 'queue', h.queue, 'tenant', h.tenant, 'priority', h.priority, 'tags', json(h.tags), 'metadata', json(h.metadata), 'args', json(h.args))
        <> json_object('kind', json(a.what -> '$.kind'), 'queue', json(a.what -> '$.queue'), 'tenant', json(a.what -> '$.tenant'), 'priority', json(a.what -> '$.priority'), 'tags', json(a.what -> '$.tags'), 'metadata', json(a.what -> '$.metadata'), 'args', json(a.what -> '$.args'))
    END
