-- The place before which nothing can be written any more.
SELECT (SELECT max(number) FROM compline.era) AS era, compline.horizon()::text::bigint AS tx, 0::bigint AS seq
