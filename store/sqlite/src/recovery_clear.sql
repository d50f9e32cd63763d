-- The recovery codes of a user are worth nothing any more. Primary key.
DELETE FROM identity_recovery WHERE user_id = ?1
