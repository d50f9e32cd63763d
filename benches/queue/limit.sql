-- The limit: what PostgreSQL does when nobody asks more of it than to move rows durably from a queue to a history.
-- No client, no handler, no round trip, one index a table; every claim and every completion is a commit that
-- waits for the disk.

CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claimed boolean NOT NULL DEFAULT false,
    attempt smallint NOT NULL DEFAULT 0,
    args jsonb NOT NULL
)
-- Room for the claimed version next to the waiting one: the claim then touches no index.
WITH (fillfactor = 45);

CREATE TABLE job_history (
    id bigint PRIMARY KEY,
    attempt smallint NOT NULL,
    args jsonb NOT NULL,
    finished_at timestamptz NOT NULL
);

CREATE TABLE measured (what text NOT NULL, count bigint NOT NULL, seconds double precision NOT NULL);

CREATE PROCEDURE enqueue(count integer, per_call integer)
LANGUAGE plpgsql
AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    FOR done IN 0 .. count - 1 BY per_call LOOP
        INSERT INTO job (args)
        SELECT jsonb_build_object('i', i) FROM generate_series(done, least(count, done + per_call) - 1) AS i;
        COMMIT;
    END LOOP;
    INSERT INTO measured VALUES ('enqueue', count, extract(epoch FROM clock_timestamp() - begun));
END
$$;

CREATE PROCEDURE drain(batch integer)
LANGUAGE plpgsql
AS $$
DECLARE
    begun timestamptz := clock_timestamp();
    moved bigint := 0;
    seen bigint := 0;
    ids bigint[];
BEGIN
    -- The tables have no statistics yet; without them a plan made for the values at hand scans.
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', false);
    LOOP
        -- A real queue has priorities and retries and may not skip what it has seen; the limit may.
        WITH claimed AS (
            UPDATE job SET claimed = true, attempt = attempt + 1
            WHERE id = ANY (ARRAY(
                SELECT id FROM job WHERE id > seen AND NOT claimed ORDER BY id LIMIT batch FOR UPDATE SKIP LOCKED
            ))
            RETURNING id
        )
        SELECT array_agg(id), max(id) INTO ids, seen FROM claimed;
        EXIT WHEN ids IS NULL;
        COMMIT;

        WITH finished AS (
            DELETE FROM job WHERE id = ANY (ids) RETURNING id, attempt, args
        )
        INSERT INTO job_history SELECT id, attempt, args, clock_timestamp() FROM finished;
        COMMIT;
        moved := moved + cardinality(ids);
    END LOOP;
    INSERT INTO measured VALUES ('drain', moved, extract(epoch FROM clock_timestamp() - begun));
END
$$;
