-- A user as somebody changed it. Primary key.
UPDATE identity_user
SET role = ?2, password = ?3, password_changed_at = ?4, disabled_at = ?5, totp = ?6, totp_since = ?7, totp_step = ?8
WHERE id = ?1
