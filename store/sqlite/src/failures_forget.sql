-- Deletes what is known of doors at which nothing happened for long. Index: identity_failure_last.
DELETE FROM identity_failure WHERE door IN (
    SELECT door FROM identity_failure
    WHERE last_at < ?1 - ?2
    ORDER BY last_at
    LIMIT ?3)
