-- What nobody will ask for again: keys whose time has passed, and requests to cancel a job that completed all
-- the same. Index: unique_key_until; requests are few.
WITH lapsed AS (DELETE FROM compline.unique_key WHERE until <= coalesce($1::timestamptz, now()))
DELETE FROM compline.cancel_request c WHERE NOT EXISTS (SELECT FROM compline.job j WHERE j.id = c.job_id)
