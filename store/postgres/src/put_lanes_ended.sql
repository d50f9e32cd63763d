-- Those that a person may retry. Index: job_history_pkey.
UPDATE compline.job_history j SET lane = l.lane FROM unnest($1::uuid[], $2::text[]) AS l (id, lane)
WHERE j.id = l.id AND j.state <> 'completed'
