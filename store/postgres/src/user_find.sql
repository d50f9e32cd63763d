-- A user by id, or by address, and the time. Index: identity_user_pkey, and identity_user_email to come there.
SELECT u.id, u.email, u.name, u.role, u.tenant, u.password, u.password_changed_at, u.created_at, u.disabled_at, u.totp,
       u.totp_since, u.totp_step,
       (SELECT count(*) FROM compline.identity_recovery AS r WHERE r.user_id = u.id) AS recovery,
       coalesce($1::timestamptz, now()) AS now
FROM compline.identity_user AS u
WHERE u.id = coalesce($2::uuid, (SELECT e.id FROM compline.identity_user AS e WHERE e.email_key = $3))
