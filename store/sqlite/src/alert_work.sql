-- Whether there is anything to do: a seek each in alert_news, alert_to_tell and alert_delivery_due. ?1 is now.
SELECT EXISTS (SELECT 1 FROM alert_news), EXISTS (SELECT 1 FROM alert WHERE tell_at <= ?1),
       EXISTS (SELECT 1 FROM alert_delivery WHERE state = 'pending' AND due_at <= ?1)
