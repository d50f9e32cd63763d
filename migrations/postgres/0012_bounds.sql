-- What is known of how many run in a bucket, so that a claim counts them only when the limit may be near.

-- No more than so many run in it; nothing: nobody knows. Claims raise it, jobs that end do not lower it.
ALTER TABLE compline.bucket ADD COLUMN most_running integer CHECK (most_running >= 0);
