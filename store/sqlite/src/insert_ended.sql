-- Jobs whose parent has failed already go straight to the history. Writes to job_history's primary key.
-- ?1 holds one list per job, ?2 is now.
INSERT INTO job_history (id, state, fence, attempt, max_attempts, budget, priority, run_at, created_at,
                         finished_at, kind, queue, unique_key, unique_release, tenant, tags, metadata, args, error,
                         lane)
SELECT unhex(new.value ->> 0), 'cancelled', 0, 0, new.value ->> 2, new.value ->> 2, new.value ->> 3,
       new.value ->> 6, ?2, ?2, new.value ->> 7, new.value ->> 8, unhex(new.value ->> 9), new.value ->> 10,
       new.value ->> 11, new.value ->> 12, new.value ->> 13, new.value ->> 14, new.value ->> 15,
       new.value ->> 16
FROM json_each(?1) AS new
