-- What became of an approval. ?1 now, ?3 its next state, ?4 why. Primary key of approval.
UPDATE approval
SET state = ?3, reason = ?4, ended_at = CASE WHEN ?3 NOT IN ('pending', 'granted') THEN ?1 END
WHERE id = ?2
