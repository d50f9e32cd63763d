-- Moves a reader on from where it is known to stand, and remembers when it took something. Primary key of follower.
UPDATE follower SET seq = ?3, taken_at = coalesce(?4, taken_at) WHERE name = ?1 AND seq = ?2
