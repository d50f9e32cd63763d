-- Which jobs name which uploads.
INSERT INTO compline.upload_use (upload_id, job_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT DO NOTHING
