-- What is known of how many run in a bucket, so that a claim counts them only when the limit may be near.

-- No more than so many run in it; nothing: nobody knows. Claims raise it, jobs that end do not lower it.
ALTER TABLE bucket ADD COLUMN most_running INTEGER CHECK (most_running >= 0);
