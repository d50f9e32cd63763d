-- Messages of an alert that were to go out later, if nobody acknowledged it. Primary key of alert_delivery. ?1 is now.
DELETE FROM alert_delivery WHERE alert_id = ?2 AND state = 'pending' AND attempts = 0 AND due_at > ?1
