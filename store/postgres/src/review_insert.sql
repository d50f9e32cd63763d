-- What somebody decided, one row for each item, in the order given.
INSERT INTO compline.review (job, item, decision, comment, by_whom, actor, at, tenant)
SELECT $2, r.item, r.decision, r.comment, $3, $4, coalesce($1::timestamptz, now()),
       (SELECT tenant FROM compline.job_history WHERE id = $2)
FROM unnest($5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS r (item, decision, comment, place)
ORDER BY r.place
RETURNING at
