-- Is a job of a tenant ready that nothing limits? Then the claim is by turns. Index: job_ready_by_tenant.
SELECT EXISTS (SELECT FROM compline.job WHERE queue = $1 AND state = 'available' AND lane IS NULL AND tenant IS NOT NULL)
