-- The epochs that were declared, the first one first. Index: audit_epoch_pkey.
SELECT number, common, at, note FROM compline.audit_epoch ORDER BY number
