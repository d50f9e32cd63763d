-- A reader's place; a new one begins at the given one. Primary key of follower.
INSERT INTO compline.follower AS f (name, era, tx, seq, begun_next, begun_open)
VALUES ($1, $2, $3::bigint::text::xid8, $4, $5::bigint::text::xid8, $6::bigint[]::text[]::xid8[])
ON CONFLICT (name) DO UPDATE SET seq = f.seq
RETURNING era, tx::text::bigint AS tx, seq, begun_next::text::bigint AS next, begun_open::text[]::bigint[] AS open
