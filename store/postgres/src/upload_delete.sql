-- Deletes one, with which jobs named it. Index: upload_pkey.
DELETE FROM compline.upload WHERE id = $1
