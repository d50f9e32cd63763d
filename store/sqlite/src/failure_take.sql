-- What is known of a door. Primary key.
INSERT INTO identity_failure AS f (door, failures, last_at)
VALUES (?2, 0, ?1)
ON CONFLICT (door) DO UPDATE SET failures = f.failures
RETURNING failures, last_at, locked_until, entered_at, ?1 AS now
