-- The jobs that run, by worker and then by lane: one entry for each job that begins serves those who ask what a worker
-- holds and those who ask how many run in a lane.
DROP INDEX job_held;
DROP INDEX job_running_in_lane;

CREATE INDEX job_held ON job (worker, lane) WHERE worker IS NOT NULL;
