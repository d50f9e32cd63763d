-- A reader's place. Primary key of follower.
DELETE FROM compline.follower WHERE name = $1
