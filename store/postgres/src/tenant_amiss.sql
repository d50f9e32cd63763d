-- What would let a tenant see more than its own, or keeps its role from being used, in words; nothing where all is well.
-- Catalogues alone.
WITH role AS (SELECT * FROM pg_roles WHERE rolname = 'compline_tenant'),
tables AS (
    SELECT c.oid, c.relname::text AS name, c.relrowsecurity, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'compline' AND c.relkind IN ('r', 'p')
),
-- Those with a tenant, and those that hang on a job or an approval.
guarded AS (
    SELECT * FROM tables t
    WHERE EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = t.oid AND NOT a.attisdropped AND a.attname IN ('tenant', 'job_id'))
       OR t.name IN ('job_dependency', 'approval_vote')
)
SELECT 'the role compline_tenant is not there' WHERE NOT EXISTS (SELECT FROM role)
UNION ALL
SELECT format('the role %I may not become compline_tenant', current_user) FROM role r
WHERE NOT pg_has_role(current_user, r.oid,
                      CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
UNION ALL
SELECT 'the role compline_tenant is a superuser' FROM role WHERE rolsuper
UNION ALL
SELECT 'the role compline_tenant has BYPASSRLS' FROM role WHERE rolbypassrls
UNION ALL
SELECT 'the role compline_tenant can sign in' FROM role WHERE rolcanlogin
UNION ALL
SELECT format('the role compline_tenant is a member of %I', m.roleid::regrole::text)
FROM role r JOIN pg_auth_members m ON m.member = r.oid
UNION ALL
SELECT format('the table %s is owned by compline_tenant', t.name) FROM role r JOIN tables t ON t.relowner = r.oid
UNION ALL
SELECT format('the table %s is guarded by no policy', g.name) FROM guarded g
WHERE NOT g.relrowsecurity
   OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = g.oid AND p.polname = 'tenants'
                  AND pg_get_expr(p.polqual, p.polrelid) LIKE '%compline_tenant%')
UNION ALL
SELECT format('the policy %s of the table %s lets rows through beside ours', p.polname, g.name)
FROM guarded g JOIN pg_policy p ON p.polrelid = g.oid
WHERE p.polname <> 'tenants' AND p.polpermissive
UNION ALL
SELECT format('compline_tenant may write to the table %s', t.name) FROM role r CROSS JOIN tables t
WHERE has_table_privilege(r.oid, t.oid, 'INSERT') OR has_table_privilege(r.oid, t.oid, 'UPDATE')
   OR has_table_privilege(r.oid, t.oid, 'DELETE') OR has_table_privilege(r.oid, t.oid, 'TRUNCATE')
UNION ALL
SELECT format('compline_tenant may read the table %s, which no policy guards', t.name) FROM role r CROSS JOIN tables t
WHERE has_table_privilege(r.oid, t.oid, 'SELECT') AND t.oid NOT IN (SELECT g.oid FROM guarded g)
UNION ALL
SELECT format('compline_tenant cannot read the table %s', t.name)
FROM role r CROSS JOIN unnest(ARRAY['job', 'job_history', 'job_attempt', 'job_step', 'job_progress', 'job_dependency',
                                    'cancel_request', 'review', 'schedule', 'schedule_fire', 'upload', 'approval', 'approval_vote',
                                    'record', 'record_name']) AS t (name)
WHERE to_regclass(format('compline.%I', t.name)) IS NOT NULL
  AND NOT has_table_privilege(r.oid, format('compline.%I', t.name), 'SELECT')
ORDER BY 1
