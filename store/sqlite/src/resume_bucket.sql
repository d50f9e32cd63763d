-- Primary key of bucket.
UPDATE bucket SET paused_until = NULL, paused_by = NULL, reason = NULL WHERE name = ?1
