-- What became of an approval that its transaction has locked. $1 now, $3 its next state, $4 why. Index: approval_pkey.
UPDATE compline.approval
SET state = $3, reason = $4,
    ended_at = CASE WHEN $3 NOT IN ('pending', 'granted') THEN coalesce($1::timestamptz, now()) END
WHERE id = $2
