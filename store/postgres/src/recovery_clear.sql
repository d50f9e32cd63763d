-- The recovery codes of a user are worth nothing any more. Index: identity_recovery_pkey.
DELETE FROM compline.identity_recovery WHERE user_id = $1
