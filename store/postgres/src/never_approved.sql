-- Jobs that people were to approve and did not, or that are not what was approved any more. What a retry changes may differ.
-- Indexes: job_history_pkey, approval_job, kind_pkey.
SELECT h.id AS job_id, a.id, a.state
FROM unnest($1::uuid[]) AS named (id)
JOIN compline.job_history h ON h.id = named.id
LEFT JOIN compline.approval a ON a.job_id = h.id
LEFT JOIN compline.kind k ON k.kind = h.kind
WHERE CASE
    WHEN a.id IS NULL THEN k.approval_people IS NOT NULL
    ELSE a.state <> 'used'
        OR json_build_object('kind', h.kind, 'queue', h.queue, 'tenant', h.tenant, 'priority', h.priority, 'tags', h.tags, 'metadata', h.metadata, 'args', h.args)::text
        <> json_build_object('kind', a.what::json -> 'kind', 'queue', a.what::json -> 'queue', 'tenant', a.what::json -> 'tenant', 'priority', a.what::json -> 'priority', 'tags', a.what::json -> 'tags', 'metadata', a.what::json -> 'metadata', 'args', a.what::json -> 'args')::text
    END
