-- An attempt is done with a thing. A later attempt of the same job that has it by now has another fence. Index: record_key.
UPDATE record SET held_by = NULL, held_fence = NULL
WHERE collection = ?1 AND key = ?2 AND coalesce(tenant, '') = coalesce(?3, '') AND tenant IS ?3 AND held_by = ?4 AND held_fence = ?5
