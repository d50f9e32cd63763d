-- A job that has not ended and names the upload. Primary keys of upload_use and job.
SELECT j.id FROM upload_use AS x JOIN job AS j ON j.id = x.job_id WHERE x.upload_id = ?1 LIMIT 1
