-- News for people. Appends to alert_news (its primary key).
-- ?1 now, then the columns; jobs as hex.
INSERT INTO alert_news (at, key, rule, change, severity, kind, queue, text, count, jobs, details)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
