-- News of jobs that end.sql has put into the history as discarded: one row per kind and queue, with the first ten
-- (320 digits). Primary key of job_history. ?1 their ids, ?2 now.
INSERT INTO alert_news (at, key, rule, change, severity, kind, queue, text, count, jobs)
SELECT ?2, 'job.discarded/' || kind || '/' || queue, 'job.discarded', 'happened', 'warning', kind, queue,
       'jobs of kind ' || kind || ' on queue ' || queue || ' were discarded; a person must decide', count(*),
       unhex(substr(group_concat(hex(job_history.id), '' ORDER BY job_history.id), 1, 320))
FROM json_each(?1) AS ended
CROSS JOIN job_history ON job_history.id = unhex(ended.value)
GROUP BY kind, queue
