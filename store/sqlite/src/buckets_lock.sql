-- What is known of the buckets of ?1; the transaction is the only one that writes. Primary key of bucket.
SELECT bucket.name AS name, bucket.next_start AS next_start, bucket.paused_until AS paused_until,
       bucket.most_running AS most_running
FROM json_each(?1) AS named
CROSS JOIN bucket ON bucket.name = named.value
