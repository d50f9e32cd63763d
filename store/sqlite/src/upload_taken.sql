-- What a tenant has of its quota. Index: upload_tenant.
SELECT coalesce(sum(bytes), 0) AS bytes, count(*) AS count FROM upload WHERE tenant IS ?1
