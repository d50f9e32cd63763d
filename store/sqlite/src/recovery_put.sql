-- The recovery codes of a user: ?2 holds them in hex.
INSERT INTO identity_recovery (user_id, code) SELECT ?1, unhex(value) FROM json_each(?2)
