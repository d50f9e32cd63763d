-- When a chain last made a job. (On PostgreSQL this also names each option of the SQL function that is wrong.)

ALTER TABLE follower ADD COLUMN taken_at INTEGER;
