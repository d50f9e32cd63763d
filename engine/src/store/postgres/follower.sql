-- A reader's place; a new one begins where the log ends now. Primary key of follower.
INSERT INTO compline.follower AS f (name, era, tx, seq)
SELECT $1, (SELECT max(number) FROM compline.era), compline.horizon(), 0
ON CONFLICT (name) DO UPDATE SET seq = f.seq
RETURNING era, tx::text::bigint AS tx, seq
