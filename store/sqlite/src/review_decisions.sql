-- The last decision on each item of a job, by item. Index: review_decided.
SELECT seq, item, decision, comment, by_whom, actor, at FROM review AS r
WHERE job = ?1 AND decision <> 'comment' AND (?2 IS NULL OR item > ?2)
      AND (?4 IS NULL OR tenant = ?4)
      AND NOT EXISTS (
          SELECT 1 FROM review AS later
          WHERE later.job = r.job AND later.item = r.item AND later.seq > r.seq AND later.decision <> 'comment')
ORDER BY item
LIMIT ?3
