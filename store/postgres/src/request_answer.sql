-- The answer where it is another than was foreseen: a job was there already.
UPDATE compline.request SET answer = $2 WHERE key = $1
