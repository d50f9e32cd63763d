-- Moves the tree on from where it is known to stand, or plants it. The one row of audit_tree.
INSERT INTO compline.audit_tree AS t (one, size, era, tx, seq, first_era, first_tx, first_seq, edge)
SELECT true, $2, $3, $4::bigint::text::xid8, $5, $6, $7::bigint::text::xid8, $8, $9
WHERE $1::bigint = 0 OR EXISTS (SELECT FROM compline.audit_tree)
ON CONFLICT (one) DO UPDATE
SET size = excluded.size, era = excluded.era, tx = excluded.tx, seq = excluded.seq, first_era = excluded.first_era,
    first_tx = excluded.first_tx, first_seq = excluded.first_seq, edge = excluded.edge
WHERE t.size = $1::bigint
