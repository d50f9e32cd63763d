-- Marks that nobody has seen for so long. Primary key of trigger_mark, over all marks of the source.
DELETE FROM compline.trigger_mark
WHERE source = $2 AND mark = ANY (ARRAY(
    SELECT mark FROM compline.trigger_mark
    WHERE source = $2 AND at < coalesce($1::timestamptz, now()) - $3::bigint * interval '1 microsecond' LIMIT $4
))
