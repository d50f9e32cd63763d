-- Whose schedules, fire times and reviews are. SQLite has no policies for rows: the scope in each statement is all there is.

-- As the definition says.
ALTER TABLE schedule ADD COLUMN tenant TEXT
    GENERATED ALWAYS AS (nullif(json_extract(definition, '$.definition.tenant'), '')) VIRTUAL;

-- Whose the schedule was when it fired.
ALTER TABLE schedule_fire ADD COLUMN tenant TEXT;
UPDATE schedule_fire SET tenant = (SELECT tenant FROM schedule WHERE name = schedule_fire.schedule);

-- Of the job, which may have been pruned since. Rows of before are told to the installation alone.
ALTER TABLE review ADD COLUMN tenant TEXT;
