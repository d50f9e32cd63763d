-- Takes room for a file that is about to come.
INSERT INTO compline.upload (id, tenant, state, name, bytes, created_at, created_by, expires_at)
VALUES ($2, $3, 'receiving', $4, $5, coalesce($1::timestamptz, now()), $6,
        coalesce($1::timestamptz, now()) + $7::bigint * interval '1 microsecond')
