-- Workers that ended so long ago ($2 microseconds) and hold nothing. What they did keeps their number, which
-- is never given again. Small: a row for each start of a process.
DELETE FROM compline.worker w
WHERE w.ended_at < coalesce($1::timestamptz, now()) - $2 * interval '1 microsecond'
  AND NOT EXISTS (SELECT FROM compline.job j WHERE j.worker + 0 = w.id AND j.worker + 0 IS NOT NULL)
RETURNING w.id
