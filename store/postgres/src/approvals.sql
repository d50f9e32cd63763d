-- Approvals with their votes, the newest first. $1 scope, $2 id, $3 job, $4 states, $5 actions, $6 the cursor, $7 limit;
-- what is NULL is no condition. Indexes: approval_pkey, approval_job.
SELECT a.id, a.action, a.what, a.salt, a.sha256, a.tenant, a.author, a.people, a.permission, a.job_id, a.state, a.asked_at,
       a.expires_at, a.ended_at, a.reason,
       (SELECT json_agg(json_build_array(v.voter, v.verdict, v.reason, (extract(epoch FROM v.at) * 1000000)::bigint)
                        ORDER BY v.at, v.voter)::text
        FROM compline.approval_vote v WHERE v.approval_id = a.id) AS votes
FROM compline.approval a
WHERE ($1::text IS NULL OR a.tenant = $1) AND ($2::uuid IS NULL OR a.id = $2) AND ($3::uuid IS NULL OR a.job_id = $3)
  AND ($4::text[] IS NULL OR a.state = ANY ($4)) AND ($5::text[] IS NULL OR a.action = ANY ($5))
  AND ($6::uuid IS NULL OR a.id < $6)
ORDER BY a.id DESC LIMIT $7
