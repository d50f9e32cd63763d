-- The epochs that were declared, the first one first. Index: primary key of audit_epoch.
SELECT number, common, at, note FROM audit_epoch ORDER BY number
