-- The last decision on each item of a job, by item. Index: review_decided.
SELECT DISTINCT ON (item) seq, item, decision, comment, by_whom, actor, at FROM compline.review
WHERE job = $1 AND decision <> 'comment' AND ($2::text IS NULL OR item > $2)
      AND ($4::text IS NULL OR tenant = $4)
ORDER BY item, seq DESC
LIMIT $3
