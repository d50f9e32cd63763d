-- The answer where it is another than was foreseen: a job was there already.
UPDATE request SET answer = ? WHERE key = ?
