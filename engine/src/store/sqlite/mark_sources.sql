-- What triggers remember, by source. Looks at all of trigger_mark: for people.
SELECT source, count(*) AS marks, max(at) AS last_at FROM trigger_mark GROUP BY source ORDER BY source
