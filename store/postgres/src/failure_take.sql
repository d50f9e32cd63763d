-- What is known of a door, under a lock until the transaction ends. Index: identity_failure_pkey.
INSERT INTO compline.identity_failure AS f (door, failures, last_at)
VALUES ($2, 0, coalesce($1::timestamptz, now()))
ON CONFLICT (door) DO UPDATE SET failures = f.failures
RETURNING failures, last_at, locked_until, entered_at, coalesce($1::timestamptz, now()) AS now
