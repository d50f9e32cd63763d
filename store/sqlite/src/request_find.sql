-- What was asked under this key, and answered; by primary key.
SELECT fingerprint, answer FROM request WHERE key = ?
