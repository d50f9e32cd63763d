-- All that decides what a job does; the same row always makes the same bytes. And 16 bytes for salt. Primary keys of job and job_history.
SELECT json_object(
    'action', 'jobs.run',
    'job', lower(printf('%s-%s-%s-%s-%s', substr(hex(id), 1, 8), substr(hex(id), 9, 4), substr(hex(id), 13, 4),
                        substr(hex(id), 17, 4), substr(hex(id), 21))),
    'kind', kind, 'queue', queue, 'tenant', tenant, 'priority', priority, 'max_attempts', max_attempts,
    'run_at', strftime('%Y-%m-%dT%H:%M:%S', run_at / 1000000, 'unixepoch') || printf('.%06dZ', run_at % 1000000),
    'tags', json(tags), 'metadata', json(metadata), 'args', json(args)) AS what,
    randomblob(16) AS salt, tenant
FROM (
    SELECT id, kind, queue, tenant, priority, max_attempts, run_at, tags, metadata, args FROM job WHERE id = ?1
    -- One that is born ended.
    UNION ALL
    SELECT id, kind, queue, tenant, priority, max_attempts, run_at, tags, metadata, args FROM job_history WHERE id = ?1)
