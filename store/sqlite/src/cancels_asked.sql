-- All of cancel_request: requests are few and short-lived.
SELECT job_id FROM cancel_request
