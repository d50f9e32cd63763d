-- One approval with its votes. ?1 is the id. Primary key of approval.
SELECT a.id, a.action, a.what, a.salt, a.sha256, a.tenant, a.author, a.people, a.permission, a.job_id, a.state, a.asked_at,
       a.expires_at, a.ended_at, a.reason,
       (SELECT json_group_array(json_array(v.voter, v.verdict, v.reason, v.at))
        FROM (SELECT * FROM approval_vote WHERE approval_id = a.id ORDER BY at, voter) AS v) AS votes
FROM approval AS a
WHERE a.id = ?1
