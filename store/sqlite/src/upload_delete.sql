-- Deletes one, with which jobs named it. Primary key of upload.
DELETE FROM upload WHERE id = ?1
