-- Takes the oldest news away to be folded, ?1 at most. Primary key of alert_news.
DELETE FROM alert_news WHERE seq IN (SELECT seq FROM alert_news ORDER BY seq LIMIT ?1)
RETURNING seq, at, key, rule, change, severity, kind, queue, text, count, jobs, details
