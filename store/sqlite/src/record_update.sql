-- A record that was found as it was looked at; from here on this attempt holds it, or nobody does. Primary key of record.
UPDATE record
SET names = ?3, state = ?4, due_at = ?5, body = ?6, version = version + 1, changed_at = ?1, changed_by = ?7,
    held_by = ?8, held_fence = ?9
WHERE id = ?2
