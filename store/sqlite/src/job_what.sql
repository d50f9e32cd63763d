-- All that decides what a job does; the same row always makes the same bytes. And 16 bytes for salt. Primary key of job.
SELECT json_object(
    'action', 'jobs.run',
    'job', lower(printf('%s-%s-%s-%s-%s', substr(hex(id), 1, 8), substr(hex(id), 9, 4), substr(hex(id), 13, 4),
                        substr(hex(id), 17, 4), substr(hex(id), 21))),
    'kind', kind, 'queue', queue, 'tenant', tenant, 'priority', priority, 'max_attempts', max_attempts,
    'run_at', strftime('%Y-%m-%dT%H:%M:%S', run_at / 1000000, 'unixepoch') || printf('.%06dZ', run_at % 1000000),
    'tags', json(tags), 'metadata', json(metadata), 'args', json(args)) AS what,
    randomblob(16) AS salt, tenant
FROM job WHERE id = ?1
