-- Open ones whose time is over, each for one process. $1 now, $2 how many. Index: approval_open.
SELECT id FROM compline.approval
WHERE state IN ('pending', 'granted') AND expires_at <= coalesce($1::timestamptz, now())
ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
