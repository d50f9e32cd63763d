-- Writes only to job's primary key and the partial index of the row's state.
-- ?1 holds one list per job, in the order of the columns; ?2 is now.
INSERT INTO job (id, state, max_attempts, budget, priority, waits_for, rank, run_at, created_at, kind, queue,
                 unique_key, unique_release, tenant, tags, metadata, args, lane)
SELECT unhex(new.value ->> 0), new.value ->> 1, new.value ->> 2, new.value ->> 2, new.value ->> 3,
       new.value ->> 4, new.value ->> 5, new.value ->> 6, ?2, new.value ->> 7, new.value ->> 8,
       unhex(new.value ->> 9), new.value ->> 10, new.value ->> 11, new.value ->> 12, new.value ->> 13,
       new.value ->> 14, new.value ->> 16
FROM json_each(?1) AS new
