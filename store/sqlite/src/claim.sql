-- The first in rank of a queue that is not paused and has no jobs of tenants, for a worker that was not
-- declared dead. Jobs that are limited are claim_lanes.sql's. Index job_ready (where `>= ''` seeks past the jobs without a tenant, and IS NOT NULL would
-- not), then the primary keys of job, worker and queue. ?1 worker, ?2 now, ?3 queue, ?4 how many.
UPDATE job
SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = ?1, claimed_at = ?2
WHERE id IN (SELECT id FROM job
             WHERE queue = ?3 AND state = 'available' AND lane IS NULL AND tenant IS NULL
                   AND EXISTS (SELECT 1 FROM worker WHERE id = ?1 AND ended_at IS NULL)
                   AND NOT EXISTS (SELECT 1 FROM queue WHERE name = ?3 AND paused_at IS NOT NULL
                                         AND (resume_at IS NULL OR resume_at > ?2))
                   AND NOT EXISTS (SELECT 1 FROM job AS other
                                   WHERE other.queue = ?3 AND other.state = 'available' AND other.lane IS NULL
                                         AND other.tenant >= '')
             ORDER BY rank, id
             LIMIT ?4)
RETURNING id, worker, fence, kind, queue, args, attempt, max_attempts, tenant, tags, metadata, rank
