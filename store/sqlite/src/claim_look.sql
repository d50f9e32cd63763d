-- May this worker claim from this queue, and has any tenant a job there? Primary keys of worker and queue;
-- ?3 now. Index job_ready, where `>= ''` passes over the jobs without a tenant by seeking and IS NOT NULL would not.
SELECT EXISTS (SELECT 1 FROM worker WHERE id = ?1 AND ended_at IS NULL) AS alive,
       EXISTS (SELECT 1 FROM queue WHERE name = ?2 AND paused_at IS NOT NULL
               AND (resume_at IS NULL OR resume_at > ?3)) AS paused,
       EXISTS (SELECT 1 FROM job WHERE queue = ?2 AND state = 'available' AND lane IS NULL AND tenant >= '') AS tenants
