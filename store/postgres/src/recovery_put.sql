-- The recovery codes of a user.
INSERT INTO compline.identity_recovery (user_id, code) SELECT $1, c FROM unnest($2::bytea[]) AS c
