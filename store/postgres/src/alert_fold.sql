-- Takes the oldest news away to be folded, $1 at most. Index: alert_news_pkey.
DELETE FROM compline.alert_news WHERE seq IN (SELECT seq FROM compline.alert_news ORDER BY seq LIMIT $1)
RETURNING seq, at, key, rule, change, severity, kind, queue, text, count, jobs, details
