-- The plain audit log: append-only by trigger. A later migration makes it tamper-evident.

CREATE TABLE compline.audit_entry (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text        NOT NULL,
    action  text        NOT NULL,
    object  text        NOT NULL,
    outcome text        NOT NULL,
    tenant  text,
    -- Transitions of many jobs in one transaction are one entry that names them all.
    jobs    uuid[],
    details json
);

CREATE FUNCTION compline.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'compline.audit_entry is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compline.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION compline.audit_is_append_only();
