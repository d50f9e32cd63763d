-- ?1 holds [key, job, release, until] per key, each known to be free. Primary key of unique_key.
INSERT INTO unique_key (key, job_id, release, until)
SELECT unhex(new.value ->> 0), unhex(new.value ->> 1), new.value ->> 2, new.value ->> 3
FROM json_each(?1) AS new
WHERE true
ON CONFLICT (key) DO UPDATE SET job_id = excluded.job_id, release = excluded.release, until = excluded.until
