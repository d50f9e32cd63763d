-- granted -> used, once and in time. ?1 now, ?2 the approval. Primary key of approval.
UPDATE approval SET state = 'used', ended_at = ?1
WHERE id = ?2 AND state = 'granted' AND expires_at > ?1 AND job_id IS NULL
