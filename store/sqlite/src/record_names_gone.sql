-- Takes those names from a record that it does not keep. Index: record_name_of.
DELETE FROM record_name WHERE record = ?1 AND name NOT IN (SELECT value FROM json_each(?2))
