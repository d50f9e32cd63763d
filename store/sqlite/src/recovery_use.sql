-- Uses a recovery code up; no row when it is none, or was used. Primary key.
DELETE FROM identity_recovery WHERE user_id = ?1 AND code = ?2
