-- News for people; rows at the end of alert_news, which wait for nobody.
INSERT INTO compline.alert_news (at, key, rule, change, severity, kind, queue, text, count, jobs, details)
VALUES (coalesce($1::timestamptz, now()), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json)
