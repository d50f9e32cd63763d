-- A reader's place. Primary key of follower.
DELETE FROM follower WHERE name = ?1
