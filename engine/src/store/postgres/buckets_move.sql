-- Starts were taken. Index: bucket_pkey.
UPDATE compline.bucket b SET next_start = m.next_start
FROM unnest($1::text[], $2::bigint[]) AS m (name, next_start) WHERE b.name = m.name
