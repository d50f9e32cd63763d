-- What triggers remember, by source. Looks at all of trigger_mark: for people.
SELECT source, count(*), max(at) FROM compline.trigger_mark GROUP BY source ORDER BY source COLLATE "C"
