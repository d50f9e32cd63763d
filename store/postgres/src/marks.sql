-- Which of these were taken, and what they made. Primary key of trigger_mark.
SELECT mark, job_id FROM compline.trigger_mark WHERE source = $1 AND mark = ANY ($2)
