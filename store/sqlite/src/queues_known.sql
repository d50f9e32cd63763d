-- All of queue: those that were ever paused. One whose pause is over at ?1 is not paused.
SELECT name, iif(resume_at <= ?1, NULL, paused_at) AS paused_at, iif(resume_at <= ?1, NULL, paused_by) AS paused_by,
       iif(resume_at <= ?1, NULL, reason) AS reason, iif(resume_at <= ?1, NULL, resume_at) AS resume_at
FROM queue
