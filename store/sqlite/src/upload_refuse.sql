-- Gives back the room of one that was not taken. Primary key of upload.
DELETE FROM upload WHERE id = ?1 AND state = 'receiving' RETURNING tenant
