-- Moves the tree on from where it is known to stand, or plants it. The one row of audit_tree.
INSERT INTO audit_tree (one, size, seq, first_seq, edge)
SELECT 1, ?2, ?3, ?4, ?5
WHERE ?1 = 0 OR EXISTS (SELECT 1 FROM audit_tree)
ON CONFLICT (one) DO UPDATE
SET size = excluded.size, seq = excluded.seq, first_seq = excluded.first_seq, edge = excluded.edge
WHERE audit_tree.size = ?1
