-- Whether tenants' requests can run as their role: it is there, we may become it, and it can read what it has to. The questions
-- about a role that is not there would fail, so they are asked of its number. Catalogues alone.
SELECT EXISTS (
    SELECT FROM pg_roles r
    WHERE r.rolname = 'compline_tenant'
      AND pg_has_role(current_user, r.oid,
                      CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
      AND has_schema_privilege(r.oid, 'compline', 'USAGE')
      AND has_column_privilege(r.oid, 'compline.queue', 'name', 'SELECT')
      AND NOT EXISTS (
          SELECT FROM unnest(ARRAY['job', 'job_history', 'job_attempt', 'job_step', 'job_progress', 'job_dependency',
                                   'cancel_request', 'review', 'schedule', 'schedule_fire', 'upload',
                                   'approval', 'approval_vote', 'record', 'record_name']) AS t (name)
          WHERE NOT has_table_privilege(r.oid, format('compline.%I', t.name), 'SELECT')))
