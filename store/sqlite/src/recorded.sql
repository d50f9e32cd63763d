-- Which of these [id, fence] the same worker has reported already: its answer was lost on the way.
-- Primary keys of job_history and job_attempt.
SELECT held.key AS place
FROM json_each(?1) AS held
WHERE EXISTS (SELECT 1 FROM job_history AS ended
              WHERE ended.id = unhex(held.value ->> 0) AND ended.fence = held.value ->> 1 AND ended.worker = ?2)
   OR EXISTS (SELECT 1 FROM job_attempt AS attempt
              WHERE attempt.job_id = unhex(held.value ->> 0) AND attempt.fence = held.value ->> 1
                    AND attempt.worker = ?2 AND attempt.ending <> 'lost')
