-- What was said of a job's items, the newest first. Index: review_of_job.
SELECT seq, item, decision, comment, by_whom, actor, at FROM review
WHERE job = ?1
      AND (?5 IS NULL OR tenant = ?5)
      AND (?2 IS NULL OR item IN (SELECT value FROM json_each(?2)))
      AND (?3 IS NULL OR seq < ?3)
ORDER BY seq DESC
LIMIT ?4
