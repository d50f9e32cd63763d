-- A user, unless somebody has the address. Index: the unique address.
INSERT INTO identity_user (id, email, email_key, name, role, tenant, password, password_changed_at, created_at)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?1, ?1)
ON CONFLICT DO NOTHING
