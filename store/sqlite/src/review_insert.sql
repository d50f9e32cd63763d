-- What somebody decided, one row for each item, in the order given: ?5 holds [item, decision, comment] for each.
INSERT INTO review (job, item, decision, comment, by_whom, actor, at, tenant)
SELECT ?2, value ->> 0, value ->> 1, value ->> 2, ?3, ?4, ?1, (SELECT tenant FROM job_history WHERE id = ?2)
FROM json_each(?5) ORDER BY key
