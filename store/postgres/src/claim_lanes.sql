-- available -> running for the first in rank of each lane, as many as its share. Index: job_ready_in_lane.
-- $4 lanes, $5 their shares, and $6, $7 the job behind which each begins; whoever claims holds their buckets, $8, and moves them to
-- where they stand when all of the shares are to be had: $9, $10. Index: bucket_pkey.
WITH moved AS (
    UPDATE compline.bucket b SET next_start = m.next_start, most_running = m.most_running
    FROM unnest($8::text[], $9::bigint[], $10::integer[]) AS m (name, next_start, most_running) WHERE b.name = m.name
),
claimed AS (
    UPDATE compline.job j
    SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1, worker = $2,
        claimed_at = coalesce($1::timestamptz, now())
    WHERE j.ctid = ANY (ARRAY(
        SELECT p.ctid FROM unnest($4::text[], $5::bigint[], $6::timestamptz[], $7::uuid[]) AS l (lane, share, rank, id)
        CROSS JOIN LATERAL (
            SELECT f.ctid FROM compline.job f
            WHERE f.queue = $3 AND f.state = 'available' AND f.lane IS NOT NULL AND f.lane = l.lane
              AND (f.rank, f.id) > (l.rank, l.id)
            ORDER BY f.rank, f.id LIMIT l.share
            FOR UPDATE SKIP LOCKED) p))
    RETURNING j.id, j.fence, j.attempt, j.max_attempts, j.rank, j.kind, j.args, j.tenant, j.tags, j.metadata, j.lane
),
entry AS (
    INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs)
    SELECT coalesce($1::timestamptz, now()), 'worker:' || $2, 'job.claim', 'job', 'running', array_agg(id)
    FROM claimed HAVING count(*) > 0
)
SELECT id, fence, attempt, max_attempts, rank, kind, args, tenant, tags, metadata, lane FROM claimed
