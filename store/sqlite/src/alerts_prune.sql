-- Alerts that closed before ?1, ?2 at most: alert_opened.
DELETE FROM alert WHERE id IN (
    SELECT id FROM alert WHERE opened_at < ?1 AND closed_at < ?1 ORDER BY opened_at LIMIT ?2)
