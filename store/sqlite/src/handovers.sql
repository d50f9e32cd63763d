-- What was signed by which a key handed over, the smallest first. Index: audit_checkpoint_handover.
SELECT size, at, note FROM audit_checkpoint WHERE instr(note, char(10) || 'handover ') > 0 ORDER BY size
