-- Entries that meet all conditions, newest first. Primary key of audit_entry, walked back from ?1, and not past ?2: the
-- numbers between which entries of that time stand, as seq_at.sql finds them. An id in `jobs` begins at every 16th byte.
SELECT seq, at, actor, action, object, outcome, tenant, request, source, jobs, details
FROM audit_entry
WHERE seq < ?1 AND seq >= ?2
      AND (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4)
      AND (?5 IS NULL OR actor = ?5)
      AND (?6 IS NULL OR action = ?6 OR (substr(?6, -1) = '.' AND substr(action, 1, length(?6)) = ?6))
      AND (?7 IS NULL OR object = ?7)
      AND (?8 IS NULL OR outcome = ?8)
      AND (?9 IS NULL OR tenant = ?9)
      AND (?10 IS NULL OR request = ?10)
      AND (?11 IS NULL OR instr(jobs, ?11) % 16 = 1)
ORDER BY seq DESC
LIMIT ?12
