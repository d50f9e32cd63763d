-- What triggers remember, by source; chains have a place and no marks. Looks at all of trigger_mark: for people.
SELECT * FROM (
    SELECT source, count(*), max(at) FROM compline.trigger_mark GROUP BY source
    UNION ALL SELECT name, 0, taken_at FROM compline.follower WHERE taken_at IS NOT NULL
) AS known ORDER BY source COLLATE "C"
