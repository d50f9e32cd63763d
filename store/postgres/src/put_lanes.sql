-- Index: job_pkey.
UPDATE compline.job j SET lane = l.lane FROM unnest($1::uuid[], $2::text[]) AS l (id, lane) WHERE j.id = l.id
