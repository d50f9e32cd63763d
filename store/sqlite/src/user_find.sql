-- A user by id, or by address, and the time. Primary key, and the unique address to come there.
SELECT u.id, u.email, u.name, u.role, u.tenant, u.password, u.password_changed_at, u.created_at, u.disabled_at, u.totp,
       u.totp_since, u.totp_step,
       (SELECT count(*) FROM identity_recovery AS r WHERE r.user_id = u.id) AS recovery,
       ?1 AS now
FROM identity_user AS u
WHERE u.id = coalesce(?2, (SELECT e.id FROM identity_user AS e WHERE e.email_key = ?3))
