-- Parents of these jobs have ended: ?1 holds [child, how many] per child, ?2 is now. Primary key of job.
UPDATE job
SET waits_for = job.waits_for - freed.parents,
    state = CASE WHEN job.waits_for > freed.parents THEN 'waiting'
                 WHEN job.run_at > ?2 THEN 'scheduled'
                 ELSE 'available' END
FROM (SELECT unhex(value ->> 0) AS child, value ->> 1 AS parents FROM json_each(?1)) AS freed
WHERE job.id = freed.child AND job.state = 'waiting'
RETURNING id, state, queue
