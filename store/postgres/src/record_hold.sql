-- From here on this attempt alone acts on the thing. The record is locked. Index: record_pkey.
UPDATE compline.record SET held_by = $2, held_fence = $3 WHERE id = $1
