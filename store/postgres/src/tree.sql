-- Where the tree stands. The one row of audit_tree.
SELECT size, era, tx::text::bigint AS tx, seq, first_era, first_tx::text::bigint AS first_tx, first_seq, edge
FROM compline.audit_tree
