-- What its author has asked for already. ?1 now, ?2 author, ?3 action, ?4 what, ?5 tenant, ?6 people, ?7 permission. Index approval_open.
SELECT id FROM approval
WHERE state IN ('pending', 'granted') AND expires_at > ?1 AND job_id IS NULL AND author = ?2 AND action = ?3 AND what = ?4
  AND tenant IS ?5
  -- Another one, where the rule has become stricter since.
  AND people >= ?6 AND permission = ?7
ORDER BY id LIMIT 1
