-- Approvals with their votes, the newest first. ?1 scope, ?2 job, ?3 states, ?4 actions, ?5 the cursor, ?6 limit; what is
-- NULL is no condition. Primary key of approval.
SELECT a.id, a.action, a.what, a.salt, a.sha256, a.tenant, a.author, a.people, a.permission, a.job_id, a.state, a.asked_at,
       a.expires_at, a.ended_at, a.reason,
       (SELECT json_group_array(json_array(v.voter, v.verdict, v.reason, v.at))
        FROM (SELECT * FROM approval_vote WHERE approval_id = a.id ORDER BY at, voter) AS v) AS votes
FROM approval AS a
WHERE (?1 IS NULL OR a.tenant = ?1) AND (?2 IS NULL OR a.job_id = ?2)
  AND (?3 IS NULL OR a.state IN (SELECT value FROM json_each(?3)))
  AND (?4 IS NULL OR a.action IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR a.id < ?5)
ORDER BY a.id DESC LIMIT ?6
