-- What is known of a door from now on. Index: identity_failure_pkey.
UPDATE compline.identity_failure SET failures = $2, last_at = $3, locked_until = $4, entered_at = $5 WHERE door = $1
