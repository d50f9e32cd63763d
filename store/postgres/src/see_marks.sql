-- Which of these were taken; they count as seen now. Primary key of trigger_mark.
UPDATE compline.trigger_mark SET at = coalesce($1::timestamptz, now())
WHERE source = $2 AND mark = ANY ($3)
RETURNING mark
