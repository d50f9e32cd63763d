-- Whether there is anything to do. Index: alert_news_pkey, alert_to_tell, alert_delivery_due.
SELECT EXISTS (SELECT FROM compline.alert_news),
       EXISTS (SELECT FROM compline.alert WHERE tell_at <= coalesce($1::timestamptz, now())),
       EXISTS (SELECT FROM compline.alert_delivery
               WHERE state = 'pending' AND due_at <= coalesce($1::timestamptz, now()))
