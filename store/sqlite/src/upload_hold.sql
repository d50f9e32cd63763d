-- Which jobs name which uploads.
INSERT INTO upload_use (upload_id, job_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING
