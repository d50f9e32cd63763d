-- Deletes what was asked long ago, the oldest first; uses request_at.
DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at < ? ORDER BY at LIMIT ?)
