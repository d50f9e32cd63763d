-- Remembers what is taken: [mark, job] each. Primary key of trigger_mark.
INSERT INTO trigger_mark (source, mark, at, job_id)
SELECT ?1, new.value ->> 0, ?3, unhex(new.value ->> 1) FROM json_each(?2) AS new
