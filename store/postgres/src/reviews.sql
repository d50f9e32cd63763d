-- What was said of a job's items, the newest first. Index: review_of_job, or review_of_item for a few items.
SELECT seq, item, decision, comment, by_whom, actor, at FROM compline.review
WHERE job = $1
      AND ($5::text IS NULL OR tenant = $5)
      AND ($2::text[] IS NULL OR item = ANY ($2))
      AND ($3::bigint IS NULL OR seq < $3)
ORDER BY seq DESC
LIMIT $4
