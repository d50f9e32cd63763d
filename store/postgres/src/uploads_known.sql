-- Those of these that are there. Index: upload_pkey.
SELECT u.id FROM compline.upload AS u WHERE u.id = ANY ($1)
