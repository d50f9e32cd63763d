-- From here on this attempt alone acts on the thing. Primary key of record.
UPDATE record SET held_by = ?2, held_fence = ?3 WHERE id = ?1
