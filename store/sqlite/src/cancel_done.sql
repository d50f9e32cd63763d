-- Primary key of cancel_request.
DELETE FROM cancel_request WHERE job_id IN (SELECT unhex(ended.value) FROM json_each(?1) AS ended)
