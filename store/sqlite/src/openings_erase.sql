-- Deletes what opens commitments: of one subject, or these, or those from before ?3 of the field ?4 or of any. Index
-- audit_opening_subject, primary key; those from before a time are looked for in the whole table.
DELETE FROM audit_opening WHERE commitment IN (
    SELECT commitment FROM audit_opening
    WHERE (?1 IS NULL OR subject = ?1)
          AND (?2 IS NULL OR commitment IN (SELECT value FROM json_each(?2)))
          AND (?3 IS NULL OR at < ?3)
          AND (?4 IS NULL OR field = ?4)
    ORDER BY commitment LIMIT ?5)
RETURNING commitment
