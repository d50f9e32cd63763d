-- available -> running for the first ?5 in rank of each lane of ?4. Index job_ready_in_lane.
-- ?1 worker, ?2 now, ?3 queue.
UPDATE job
SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = ?1, claimed_at = ?2
WHERE id IN (SELECT chosen.id
             FROM json_each(?4) AS named
             CROSS JOIN job AS chosen ON chosen.id IN (SELECT first.id FROM job AS first
                                                      WHERE first.queue = ?3 AND first.state = 'available'
                                                            AND first.lane = named.value
                                                      ORDER BY first.rank, first.id
                                                      LIMIT ?5))
RETURNING id, worker, fence, kind, queue, args, attempt, max_attempts, tenant, tags, metadata, rank, lane
