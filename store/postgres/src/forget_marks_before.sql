-- Marks below one of them. Primary key of trigger_mark.
DELETE FROM compline.trigger_mark
WHERE source = $1 AND mark = ANY (ARRAY(
    SELECT mark FROM compline.trigger_mark WHERE source = $1 AND mark < $2 ORDER BY mark LIMIT $3
))
