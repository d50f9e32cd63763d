-- All of limit_rule.
SELECT name, kinds, queues, keyed_by, starts, seconds, burst, concurrency FROM limit_rule
