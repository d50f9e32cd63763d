-- Owners of the installation who may sign in, held until the transaction ends, always in the same order: of two who take
-- the role from each other the later one sees what the earlier did. The users of an installation are few, and all are read.
SELECT id
FROM compline.identity_user
WHERE role = 'owner' AND tenant IS NULL AND disabled_at IS NULL
ORDER BY id FOR UPDATE
