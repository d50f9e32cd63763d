-- available -> running for the first in rank of each lane, as many as its share. Index: job_ready_in_lane.
-- $4 lanes and $5 their shares; whoever claims holds their buckets.
UPDATE compline.job j
SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1, worker = $2,
    claimed_at = coalesce($1::timestamptz, now())
WHERE j.ctid = ANY (ARRAY(
    SELECT p.ctid FROM unnest($4::text[], $5::bigint[]) AS l (lane, share)
    CROSS JOIN LATERAL (
        SELECT f.ctid FROM compline.job f
        WHERE f.queue = $3 AND f.state = 'available' AND f.lane IS NOT NULL AND f.lane = l.lane
        ORDER BY f.rank, f.id LIMIT l.share
        FOR UPDATE SKIP LOCKED) p))
RETURNING j.id, j.fence, j.attempt, j.max_attempts, j.rank, j.kind, j.args, j.tenant, j.tags, j.metadata, j.lane
