-- One entry that names the jobs which claim.sql will give, chosen alike. Indexes as there. ?5 is the worker's name.
INSERT INTO audit_entry (at, actor, action, object, outcome, jobs)
SELECT ?2, ?5, 'job.claim', 'job', 'running', unhex(group_concat(hex(id), ''))
FROM (SELECT id FROM job
      WHERE queue = ?3 AND state = 'available' AND lane IS NULL AND tenant IS NULL
            AND EXISTS (SELECT 1 FROM worker WHERE id = ?1 AND ended_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM queue WHERE name = ?3 AND paused_at IS NOT NULL
                                  AND (resume_at IS NULL OR resume_at > ?2))
            AND NOT EXISTS (SELECT 1 FROM job AS other
                            WHERE other.queue = ?3 AND other.state = 'available' AND other.lane IS NULL
                                  AND other.tenant >= '')
      ORDER BY rank, id
      LIMIT ?4)
HAVING count(*) > 0
