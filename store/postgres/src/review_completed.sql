-- A row if a job of this id within the scope ($2) has completed, which is for ever. Index: job_history_pkey.
SELECT 1 FROM compline.job_history WHERE id = $1 AND state = 'completed' AND ($2::text IS NULL OR tenant = $2)
