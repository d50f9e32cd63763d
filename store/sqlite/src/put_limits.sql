-- ?1 holds [name, kinds, queues, keyed_by, starts, seconds, burst, concurrency] per rule. Primary key of limit_rule.
INSERT INTO limit_rule (name, kinds, queues, keyed_by, starts, seconds, burst, concurrency)
SELECT value ->> 0, value -> 1, value -> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each(?1)
