-- What was signed by which a key handed over, the smallest first. Index: audit_checkpoint_handover.
SELECT size, at, note FROM compline.audit_checkpoint WHERE position(E'\nhandover ' IN note) > 0 ORDER BY size
