-- Moves a reader on from where it is known to stand. Primary key of follower.
UPDATE follower SET seq = ?3 WHERE name = ?1 AND seq = ?2
