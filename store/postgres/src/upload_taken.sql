-- What a tenant has of its quota. Index: upload_tenant.
SELECT coalesce(sum(u.bytes), 0)::bigint AS bytes, count(*) AS count
FROM compline.upload AS u
WHERE u.tenant IS NOT DISTINCT FROM $1::text
