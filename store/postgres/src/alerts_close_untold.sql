-- Events that nobody was told of, when nothing more happened for $2 microseconds; they are still to be told. Index: alert_open.
UPDATE compline.alert SET closed_at = coalesce($1::timestamptz, now()), version = version + 1
WHERE id = ANY (ARRAY(
    SELECT id FROM compline.alert
    WHERE closed_at IS NULL AND nature = 'event' AND tellings = 0
      AND last_at < coalesce($1::timestamptz, now()) - $2::bigint * interval '1 microsecond'
    ORDER BY key LIMIT $3 FOR UPDATE SKIP LOCKED))
