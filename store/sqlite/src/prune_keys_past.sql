-- Keys whose time has passed hold nothing. Index unique_key_until.
DELETE FROM unique_key WHERE until <= ?1
