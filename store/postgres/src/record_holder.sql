-- A row if the attempt that holds a record still runs. Asked behind record_look.sql: whoever held the record by then had claimed its job
-- before. Index: job_pkey.
SELECT 1 FROM compline.job WHERE id = $1 AND fence = $2 AND state = 'running'
