-- A user, unless somebody has the address. Index: identity_user_email.
INSERT INTO compline.identity_user (id, email, email_key, name, role, tenant, password, password_changed_at, created_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, coalesce($1::timestamptz, now()), coalesce($1::timestamptz, now()))
ON CONFLICT DO NOTHING
