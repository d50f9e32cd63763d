-- All of queue: those that were ever paused.
SELECT name, paused_at, paused_by, reason FROM queue
