-- The deliveries of the alerts that alerts_prune.sql deletes: alert_opened. ?1 closed before, ?2 how many alerts.
DELETE FROM alert_delivery WHERE alert_id IN (
    SELECT id FROM alert WHERE opened_at < ?1 AND closed_at < ?1 ORDER BY opened_at LIMIT ?2)
