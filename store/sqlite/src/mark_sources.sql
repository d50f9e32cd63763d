-- What triggers remember, by source; chains have a place and no marks. Looks at all of trigger_mark: for people.
SELECT source, count(*) AS marks, max(at) AS last_at FROM trigger_mark GROUP BY source
UNION ALL SELECT name, 0, taken_at FROM follower WHERE taken_at IS NOT NULL
ORDER BY source
