-- Owners of the installation who may sign in. The users of an installation are few, and all are read.
SELECT id
FROM identity_user
WHERE role = 'owner' AND tenant IS NULL AND disabled_at IS NULL
ORDER BY id
