-- Where the tree stands. The one row of audit_tree.
SELECT size, seq, first_seq, edge FROM audit_tree
