-- Jobs that were never approved, so that nobody runs them again. Index: approval_job.
SELECT job_id, id, state FROM compline.approval WHERE job_id = ANY ($1::uuid[]) AND state <> 'used'
