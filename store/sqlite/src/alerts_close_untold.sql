-- Events that nobody was told of and that are older than ?2, ?3 at most; they are still to be told: alert_open. ?1 is now.
UPDATE alert SET closed_at = ?1, version = version + 1
WHERE id IN (SELECT id FROM alert WHERE closed_at IS NULL AND nature = 'event' AND tellings = 0 AND last_at < ?2
             ORDER BY key LIMIT ?3)
