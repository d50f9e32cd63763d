-- What triggers have taken in, so that each thing from outside makes its jobs once; and jobs that run only when
-- another failed.

-- A mark names one thing of one source: an entry of a stream, a delivery of a webhook, a file as it was. It is
-- written in the transaction that inserts its jobs.
CREATE TABLE trigger_mark (
    source TEXT    NOT NULL CHECK (source <> ''),
    -- In the order of its bytes: a stream's marks are forgotten up to one of them.
    mark   TEXT    NOT NULL CHECK (mark <> ''),
    -- When it was taken, or last seen where it lay.
    at     INTEGER NOT NULL,
    -- The first of the jobs that it made.
    job_id BLOB    NOT NULL CHECK (length(job_id) = 16),
    PRIMARY KEY (source, mark)
) STRICT, WITHOUT ROWID;

-- `only`: the child runs when its parent failed, and is cancelled when it did not. SQLite changes no CHECK in place; only
-- jobs that wait have a row here, so there are few to copy.
CREATE TABLE job_dependency_of_three (
    parent     BLOB NOT NULL,
    child      BLOB NOT NULL,
    on_failure TEXT NOT NULL CHECK (on_failure IN ('cancel', 'run', 'only')),
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
INSERT INTO job_dependency_of_three SELECT parent, child, on_failure FROM job_dependency;
DROP TABLE job_dependency;
ALTER TABLE job_dependency_of_three RENAME TO job_dependency;
CREATE INDEX job_dependency_child ON job_dependency (child);
