-- The jobs that run, by worker and then by lane: one entry for each job that begins serves those who ask what a worker
-- holds and those who ask how many run in a lane. An index of its own for the lanes was most of what a limit cost.
DROP INDEX compline.job_held;
DROP INDEX compline.job_running_in_lane;

-- Expressions, for the reason that 0001_jobs.sql gives.
CREATE INDEX job_held ON compline.job ((worker + 0), lane) WHERE worker + 0 IS NOT NULL;
