-- A kind that the engine alone makes is known as one. (On PostgreSQL this brings jobs at the end of a job to SQL.)

ALTER TABLE kind ADD COLUMN internal INTEGER NOT NULL DEFAULT 0 CHECK (internal IN (0, 1));
