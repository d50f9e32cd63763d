-- A reader's place; a new one begins where the log ends now. Primary key of follower.
INSERT INTO follower (name, seq) SELECT ?1, coalesce(max(seq), 0) FROM audit_entry
WHERE true
ON CONFLICT (name) DO UPDATE SET seq = follower.seq
RETURNING seq
