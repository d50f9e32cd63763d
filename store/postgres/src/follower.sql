-- A reader's place; a new one begins at the given one. Primary key of follower.
INSERT INTO compline.follower AS f (name, era, tx, seq)
VALUES ($1, $2, $3::bigint::text::xid8, $4)
ON CONFLICT (name) DO UPDATE SET seq = f.seq
RETURNING era, tx::text::bigint AS tx, seq
