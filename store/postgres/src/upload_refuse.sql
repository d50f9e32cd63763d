-- Gives back the room of one that was not taken. Index: upload_pkey.
DELETE FROM compline.upload WHERE id = $1 AND state = 'receiving' RETURNING tenant
