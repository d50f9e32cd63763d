-- The role that tenants' requests run as, and its rights: where it is not there it is made, and what it has is left alone. It
-- is safe in many databases of one cluster at once. Who may not make roles leaves it to an administrator; nothing here fails.
DO $$
DECLARE
    c_tables CONSTANT text[] := ARRAY['job', 'job_history', 'job_attempt', 'job_step', 'job_progress', 'job_dependency',
                                      'cancel_request', 'review', 'schedule', 'schedule_fire', 'upload', 'approval', 'approval_vote',
                                      'record', 'record_name'];
    v_table text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'compline_tenant') THEN
        BEGIN
            CREATE ROLE compline_tenant NOLOGIN NOINHERIT;
        EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'compline_tenant') THEN
        RETURN;
    END IF;
    IF NOT pg_has_role(current_user, 'compline_tenant',
                       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        BEGIN
            EXECUTE format('GRANT compline_tenant TO %I', current_user)
                || CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH SET TRUE, INHERIT FALSE'
                        ELSE '' END;
        EXCEPTION WHEN insufficient_privilege OR unique_violation OR internal_error THEN
            NULL;
        END;
    END IF;
    BEGIN
        IF NOT has_schema_privilege('compline_tenant', 'compline', 'USAGE') THEN
            GRANT USAGE ON SCHEMA compline TO compline_tenant;
        END IF;
        FOREACH v_table IN ARRAY c_tables LOOP
            IF NOT has_table_privilege('compline_tenant', format('compline.%I', v_table), 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON compline.%I TO compline_tenant', v_table);
            END IF;
        END LOOP;
        IF NOT has_column_privilege('compline_tenant', 'compline.queue', 'name', 'SELECT') THEN
            -- Not who paused it, and why.
            GRANT SELECT (name, paused_at, resume_at) ON compline.queue TO compline_tenant;
        END IF;
    EXCEPTION WHEN insufficient_privilege OR internal_error THEN
        NULL;
    END;
END $$;
