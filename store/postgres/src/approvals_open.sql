-- Those that wait for people. Index: approval_open.
SELECT count(*) AS open, min(asked_at) AS first FROM compline.approval WHERE state = 'pending'
