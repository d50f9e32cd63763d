-- What triggers have taken in, so that each thing from outside makes its jobs once; and jobs that run only when
-- another failed.

-- A mark names one thing of one source: an entry of a stream, a delivery of a webhook, a file as it was. It is
-- written in the transaction that inserts its jobs.
CREATE TABLE compline.trigger_mark (
    source text        NOT NULL CHECK (source <> ''),
    -- In the order of its bytes: a stream's marks are forgotten up to one of them.
    mark   text        COLLATE "C" NOT NULL CHECK (mark <> ''),
    -- When it was taken, or last seen where it lay.
    at     timestamptz NOT NULL,
    -- The first of the jobs that it made.
    job_id uuid        NOT NULL,
    PRIMARY KEY (source, mark)
);

-- `only`: the child runs when its parent failed, and is cancelled when it did not.
ALTER TABLE compline.job_dependency DROP CONSTRAINT job_dependency_on_failure_check;
ALTER TABLE compline.job_dependency ADD CONSTRAINT job_dependency_on_failure_check
    CHECK (on_failure IN ('cancel', 'run', 'only'));
