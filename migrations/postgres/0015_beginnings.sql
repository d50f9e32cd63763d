-- What was open when a reader of the audit log began: others wrote behind its place before that, and of them it is told
-- nothing. Both are of the era of its place, and NULL once it has come past them.
ALTER TABLE compline.follower ADD COLUMN begun_next xid8;
ALTER TABLE compline.follower ADD COLUMN begun_open xid8[];
