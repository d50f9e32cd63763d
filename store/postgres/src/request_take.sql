-- Takes the key for this request; whoever has it already keeps it. Waits for a transaction that is taking it now.
INSERT INTO compline.request (key, fingerprint, answer, at)
VALUES ($2, $3, $4, coalesce($1::timestamptz, now()))
ON CONFLICT (key) DO NOTHING
