-- Open ones whose time is over. ?1 now, ?2 how many. Index approval_open.
SELECT id FROM approval
WHERE state IN ('pending', 'granted') AND expires_at <= ?1
ORDER BY expires_at LIMIT ?2
