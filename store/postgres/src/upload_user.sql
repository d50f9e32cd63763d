-- A job that has not ended and names the upload. Indexes: upload_use_pkey, job_pkey.
SELECT j.id FROM compline.upload_use AS x JOIN compline.job AS j ON j.id = x.job_id WHERE x.upload_id = $1 LIMIT 1
