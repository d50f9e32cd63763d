-- Takes the key for this request; whoever has it already keeps it.
INSERT INTO request (key, fingerprint, answer, at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING
