-- Uses a recovery code up; no row when it is none, or was used. Index: identity_recovery_pkey.
DELETE FROM compline.identity_recovery WHERE user_id = $1 AND code = $2
