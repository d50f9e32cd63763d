-- Users in the order in which they came. Primary key.
SELECT u.id, u.email, u.name, u.role, u.tenant, u.password, u.password_changed_at, u.created_at, u.disabled_at, u.totp,
       u.totp_since, u.totp_step,
       (SELECT count(*) FROM identity_recovery AS r WHERE r.user_id = u.id) AS recovery
FROM identity_user AS u
WHERE u.id > ?1
ORDER BY u.id
LIMIT ?2
