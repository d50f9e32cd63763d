-- Starts were taken. Index: bucket_pkey.
UPDATE compline.bucket b SET next_start = m.next_start, most_running = m.most_running
FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS m (name, next_start, most_running) WHERE b.name = m.name
