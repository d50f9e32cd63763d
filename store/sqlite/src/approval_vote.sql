-- Primary key of approval_vote.
INSERT INTO approval_vote (approval_id, voter, verdict, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
