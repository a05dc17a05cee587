-- The whole database of Taskfold. `taskfold migrate` brings a new database here at once and an older one through
-- migrations/; a test proves that both arrive at the same place.
--
-- The owner of these objects migrates and never serves. The program serves as a member of taskfold_serving, which
-- may read, may write what is no log, and may append through the function `append` alone.

DO $$
BEGIN
    CREATE ROLE taskfold_serving NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the cluster: another database may have made it
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO taskfold_serving;

-- The text of an instant as clients get it: RFC 3339, UTC, microseconds.
CREATE FUNCTION instant(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- ---------------------------------------------------------------------------------------------------------- the log

CREATE TABLE installation (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    restored  integer NOT NULL DEFAULT 0 CHECK (restored >= 0),  -- raised by `taskfold migrate --restored`
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE workspaces (
    workspace_id uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row a workspace: the head of its log, and the one lock that makes commit order = position order. `contended` are
-- the streams over which somebody lost at `contended_at`.
CREATE TABLE logs (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    position     bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    recorded_at  timestamptz NOT NULL DEFAULT '-infinity',
    contended    uuid[] NOT NULL DEFAULT '{}',
    contended_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- `data` and `meta` are json, not jsonb: the bytes stay as they were written. What is proved commits to `digest`, so
-- `data` and `salt` can be erased for good.
CREATE TABLE events (
    workspace_id   uuid NOT NULL,
    position       bigint NOT NULL CHECK (position > 0),
    stream_id      uuid NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    schema_version smallint NOT NULL CHECK (schema_version > 0),
    recorded_at    timestamptz NOT NULL,
    name           text NOT NULL CHECK (name LIKE '_%._%'),
    digest         bytea NOT NULL CHECK (octet_length(digest) = 32),
    salt           bytea CHECK (octet_length(salt) = 16),
    meta           json NOT NULL,
    data           json,
    PRIMARY KEY (workspace_id, position),
    -- Also where the version of a stream is looked up: the last entry. A table of heads would say it a second time, and
    -- cost two more pages a command.
    CONSTRAINT events_streams UNIQUE (workspace_id, stream_id, version),
    CHECK ((salt IS NULL) = (data IS NULL))
);

-- What was already answered under a client's key, so that a retry has no second effect, for ever. No answer is kept: it
-- is folded again from the stream at that version. A command without a key has only its id, which stands in its events.
CREATE TABLE keys (
    workspace_id uuid NOT NULL,
    principal    uuid NOT NULL,
    key          text COLLATE "C" NOT NULL CHECK (length(key) <= 255),
    command_id   uuid NOT NULL,
    fingerprint  bytea NOT NULL,
    stream_id    uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, principal, key)
);

CREATE TABLE erasures (
    workspace_id uuid NOT NULL,
    position     bigint NOT NULL,
    erased_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_by    text NOT NULL DEFAULT session_user,
    reason       text NOT NULL CHECK (reason <> ''),
    PRIMARY KEY (workspace_id, position),
    FOREIGN KEY (workspace_id, position) REFERENCES events
);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % refused: the log is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- An event never changes, but for one thing: its data and salt become null, once the erasure is on record.
CREATE FUNCTION refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    erased public.events := OLD;
BEGIN
    erased.data := NULL;
    erased.salt := NULL;
    IF NEW::text IS DISTINCT FROM erased::text OR NOT EXISTS (
        SELECT FROM public.erasures e WHERE e.workspace_id = OLD.workspace_id AND e.position = OLD.position
    ) THEN
        RAISE EXCEPTION 'UPDATE on events refused: the log is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse_unless_erasing();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON keys FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON logs FOR EACH STATEMENT EXECUTE FUNCTION refuse();
-- ALWAYS: replication mode (session_replication_role = replica) does not pass them either.
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE events ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE keys ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE erasures ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE logs ENABLE ALWAYS TRIGGER no_delete;

-- Commands on their way into the log, column by column: arrays are read by the server several times faster than rows.
--
-- commands, in order: `keys` are those of clients (null: none); `keeps` says to record the key although there are no
--   events; `stream_ids` and `versions` name the stream of a command's receipt and its version after the command;
--   `counts` its events.
-- readings, every stream that a command read or writes, as it saw it (0: not there): `readers` numbers the command.
-- facts, in the order of their commands, numbered by `authors`, with the versions that follow on the readings: the JSON
--   of meta and data stand in `bytes`, meta from `metas_at` up to `datas_at`, data from there up to `ends` (from 1, the
--   end excluded).
-- steps, of those that stand for several commands of a client: `wholes` numbers the command, each step has a key of its
--   own, the stream of its receipt with its version, and `step_counts` the events up to its last one.
CREATE TYPE batch AS (
    ids              uuid[],
    principals       uuid[],
    keys             text[],
    keeps            boolean[],
    fingerprints     text[],
    stream_ids       uuid[],
    versions         integer[],
    counts           integer[],
    readers          integer[],
    read_ids         uuid[],
    read_versions    integer[],
    authors          integer[],
    fact_ids         uuid[],
    fact_versions    integer[],
    names            text[],
    schema_versions  smallint[],
    metas_at         integer[],
    datas_at         integer[],
    ends             integer[],
    wholes           integer[],
    step_keys        text[],
    step_ids         uuid[],
    step_streams     uuid[],
    step_versions    integer[],
    step_counts      integer[],
    bytes            bytea
);

-- What became of a batch. The first row, `n` = 0, is of the batch: the position and the time after which it stands, and
-- `contended`, the streams over which somebody lost just before. Who wins over one of them should let others have a turn:
-- a winner hears of its success first, so its next command would come before the next try of the loser, again and again.
--
-- Then a row for each command that wrote nothing. outcome: 'conflict' (a stream that it read has moved), 'known' (it was
-- committed before: command_id, fingerprint, stream_id, version, position, recorded_at are those of then). Who lost gets
-- what it missed, the events past the versions that it saw, so that the next try costs no more time than that of a winner.
-- All others are committed, in their order, each event at the next position.
CREATE TYPE verdict AS (
    n            integer,
    outcome      text,
    "position"   bigint,
    recorded_at  text,
    command_id   uuid,
    fingerprint  text,
    stream_id    uuid,
    version      integer,
    missed       text,
    contended    uuid[]
);

-- Append a batch of commands to the log of one workspace, in one transaction, and say what became of them.
-- Raises lock_not_available when others hold the log for longer than a batch ever takes: nothing was done then.
--
-- The caller sees to it that no command of a batch writes what another one reads or writes, and that keys differ:
-- expectations are checked against the state before the batch.
CREATE FUNCTION append(p_workspace uuid, p_batch batch)
RETURNS SETOF verdict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public
SET lock_timeout = '250ms'
-- The plan must be the one for a log of any size, also when it is made on an empty one: look up, never scan.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    v_head      bigint;
    v_now       timestamptz;
    v_contended uuid[];
    v_out       integer[];  -- the commands that write nothing
    v_moved     uuid[];     -- the streams that others have moved
    v_facts     bigint;
    -- Salts are derived from one secret a batch, which nobody keeps: to ask for randomness costs as much as an insert.
    v_seed      bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
BEGIN
    -- The only serialisation. Held for this call, never across a round trip of the client.
    SELECT l.position, greatest(clock_timestamp(), l.recorded_at),
           CASE WHEN l.contended_at > clock_timestamp() - interval '1 second' THEN l.contended ELSE '{}' END
    INTO v_head, v_now, v_contended
    FROM logs l WHERE l.workspace_id = p_workspace FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no workspace has the id %', p_workspace USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT coalesce(array_agg(o.n), '{}'), array_agg(o.stream_id) FILTER (WHERE o.stream_id IS NOT NULL)
    INTO v_out, v_moved
    FROM (
        SELECT r.n, r.stream_id
        FROM unnest(p_batch.readers, p_batch.read_ids, p_batch.read_versions) AS r(n, stream_id, version)
        WHERE r.version <> coalesce((
            SELECT e.version FROM events e WHERE e.workspace_id = p_workspace AND e.stream_id = r.stream_id
            ORDER BY e.version DESC LIMIT 1), 0)
        UNION ALL
        SELECT c.n, NULL
        FROM unnest(p_batch.principals, p_batch.keys) WITH ORDINALITY AS c(principal, key, n)
        WHERE c.key IS NOT NULL AND (
            SELECT true FROM keys k WHERE k.workspace_id = p_workspace AND k.principal = c.principal AND k.key = c.key
            LIMIT 1)
    ) o;

    INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                        digest, salt, meta, data)
    SELECT p_workspace, f.position, f.stream_id, f.version, f.schema_version, v_now, f.name,
           sha256(f.salt || f.data), f.salt, f.meta, convert_from(f.data, 'UTF8')::json
    FROM (
        SELECT v_head + row_number() OVER (ORDER BY f.ordinality) AS position,
               f.stream_id, f.version, f.name, f.schema_version,
               substring(sha256(v_seed || int8send(f.ordinality)), 1, 16) AS salt,
               convert_from(substring(p_batch.bytes, f.meta_at, f.data_at - f.meta_at), 'UTF8')::json AS meta,
               substring(p_batch.bytes, f.data_at, f.ends - f.data_at) AS data
        FROM unnest(p_batch.authors, p_batch.fact_ids, p_batch.fact_versions, p_batch.names, p_batch.schema_versions,
                    p_batch.metas_at, p_batch.datas_at, p_batch.ends) WITH ORDINALITY
             AS f(n, stream_id, version, name, schema_version, meta_at, data_at, ends)
        WHERE f.n <> ALL (v_out)
    ) f;
    GET DIAGNOSTICS v_facts = ROW_COUNT;

    IF v_facts > 0 OR v_moved IS NOT NULL THEN
        UPDATE logs l
        SET position = v_head + v_facts, recorded_at = CASE WHEN v_facts > 0 THEN v_now ELSE l.recorded_at END,
            contended = coalesce(v_moved, l.contended),
            contended_at = CASE WHEN v_moved IS NULL THEN l.contended_at ELSE clock_timestamp() END
        WHERE l.workspace_id = p_workspace;
    END IF;

    IF array_remove(p_batch.keys, NULL) <> '{}' THEN
        INSERT INTO keys (workspace_id, principal, key, command_id, fingerprint, stream_id, version, position, recorded_at)
        SELECT p_workspace, w.principal, w.key, w.id, decode(w.fingerprint, 'hex'), w.stream_id, w.version, w.last, v_now
        FROM (
            SELECT c.*, v_head + sum(c.events) OVER (ORDER BY c.n) AS last
            FROM unnest(p_batch.ids, p_batch.principals, p_batch.keys, p_batch.keeps, p_batch.fingerprints,
                        p_batch.stream_ids, p_batch.versions, p_batch.counts) WITH ORDINALITY
                 AS c(id, principal, key, keep, fingerprint, stream_id, version, events, n)
            WHERE c.n <> ALL (v_out)
        ) w
        WHERE w.key IS NOT NULL AND (w.keep OR w.events > 0);
    END IF;

    IF p_batch.wholes <> '{}' THEN
        INSERT INTO keys (workspace_id, principal, key, command_id, fingerprint, stream_id, version, position, recorded_at)
        SELECT p_workspace, w.principal, s.key, s.id, decode(w.fingerprint, 'hex'), s.stream_id, s.version,
               w.before + s.events, v_now
        FROM (
            SELECT c.*, v_head + sum(c.events) OVER (ORDER BY c.n) - c.events AS before
            FROM unnest(p_batch.principals, p_batch.fingerprints, p_batch.counts) WITH ORDINALITY
                 AS c(principal, fingerprint, events, n)
            WHERE c.n <> ALL (v_out)
        ) w
        JOIN unnest(p_batch.wholes, p_batch.step_keys, p_batch.step_ids, p_batch.step_streams, p_batch.step_versions,
                    p_batch.step_counts) AS s(n, key, id, stream_id, version, events) ON s.n = w.n;
    END IF;

    RETURN NEXT (0, 'committed', v_head, instant(v_now), NULL, NULL, NULL, NULL, NULL, v_contended)::verdict;
    IF v_out = '{}' THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT c.*
        FROM unnest(p_batch.ids, p_batch.principals, p_batch.keys, p_batch.stream_ids, p_batch.versions,
                    p_batch.counts) WITH ORDINALITY AS c(id, principal, key, stream_id, version, events, n)
        WHERE c.n = ANY (v_out)
    ), expected AS MATERIALIZED (
        SELECT r.*
        FROM unnest(p_batch.readers, p_batch.read_ids, p_batch.read_versions) AS r(n, stream_id, version)
        WHERE r.n = ANY (v_out)
    ), known AS MATERIALIZED (
        SELECT a.n, k.command_id, k.fingerprint, k.stream_id, k.version, k.position, k.recorded_at
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM keys k WHERE k.workspace_id = p_workspace AND k.principal = a.principal AND k.key = a.key
            LIMIT 1) k
        UNION ALL
        -- Without a key, an earlier try of this call shows in the log: what moved the streams was the command itself.
        SELECT a.n, a.id, '', a.stream_id, a.version, min(e.position) + a.events - 1, min(e.recorded_at)
        FROM asked a
        JOIN expected x ON x.n = a.n
        JOIN events e ON e.workspace_id = p_workspace AND e.stream_id = x.stream_id AND e.version = x.version + 1
                     AND e.meta->>'causation_id' = a.id::text
        WHERE a.key IS NULL
        GROUP BY a.n, a.id, a.stream_id, a.version, a.events
    )
    SELECT a.n::integer, CASE WHEN k.n IS NULL THEN 'conflict' ELSE 'known' END,
           coalesce(k.position, v_head), instant(coalesce(k.recorded_at, v_now)),
           k.command_id, encode(k.fingerprint, 'hex'), k.stream_id, k.version,
           CASE WHEN k.n IS NULL THEN (
               SELECT json_agg(json_build_array(
                          e.position, e.stream_id, e.version, instant(e.recorded_at), e.name, e.schema_version,
                          e.meta::text, e.data::text) ORDER BY e.position)::text
               FROM expected x
               JOIN events e ON e.workspace_id = p_workspace AND e.stream_id = x.stream_id
                            AND e.version > x.version AND e.version <= x.version + 100
               WHERE x.n = a.n) END,
           NULL::uuid[]
    FROM asked a LEFT JOIN known k ON k.n = a.n
    ORDER BY a.n;
END $$;

-- Which bytes the facts name: kept by their digest in a store of their own, not here. A row comes to be with the fact that
-- names them, at `position`. From `due_at` on the bytes are to be removed, unless another row names equal ones: some days
-- after the file was taken away, at once where the fact is erased.
CREATE TABLE blobs (
    workspace_id  uuid NOT NULL,
    attachment_id uuid NOT NULL,
    position      bigint NOT NULL,
    sha256        bytea NOT NULL CHECK (octet_length(sha256) = 32),
    due_at        timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (workspace_id, attachment_id),
    FOREIGN KEY (workspace_id, position) REFERENCES events
);
CREATE UNIQUE INDEX blobs_position ON blobs (workspace_id, position);
CREATE INDEX blobs_content ON blobs (workspace_id, sha256);
CREATE INDEX blobs_due ON blobs (due_at) WHERE due_at < 'infinity';

-- Long streams, folded up to a version, so that a process that does not know one need not read all of it. Derived data: what
-- is not here is folded from the log, so any row may be deleted at any moment.
--
-- `fold` names the way of folding and of writing the state; a program passes by what it does not know. `digest` is that
-- of the event at the version, and `erased` says how many events up to it were erased when they were folded.
CREATE TABLE snapshots (
    workspace_id uuid NOT NULL,
    stream_id    uuid NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    fold         text NOT NULL,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    erased       integer NOT NULL CHECK (erased >= 0),
    state        text STORAGE EXTERNAL NOT NULL,  -- ids do not compress well; to try costs more than to write
    taken_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, stream_id)
);
CREATE INDEX events_erased ON events (workspace_id, stream_id, version) WHERE data IS NULL;

-- Whether a snapshot is of this log as it is now. Who reads one asks: one from before an erasure, or of a log that was
-- replaced by a copy, counts for nothing. No SQL function: those are planned with each query that calls them.
CREATE FUNCTION is_of_log(p_workspace uuid, p_stream uuid, p_version integer, p_digest bytea, p_erased integer)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN coalesce(p_digest = (
        SELECT e.digest FROM events e
        WHERE e.workspace_id = p_workspace AND e.stream_id = p_stream AND e.version = p_version), false)
    AND p_erased = (
        SELECT count(*) FROM events e
        WHERE e.workspace_id = p_workspace AND e.stream_id = p_stream AND e.version <= p_version AND e.data IS NULL);
END $$;

-- Erase what an event said, for good. That it was, and its digest, remain; the erasure is on record. Bytes that it named
-- are removed by the next worker that looks; what was folded with it goes.
CREATE FUNCTION erase(p_workspace uuid, p_position bigint, p_reason text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
BEGIN ATOMIC
    INSERT INTO erasures (workspace_id, position, reason) VALUES (p_workspace, p_position, p_reason);
    UPDATE events SET data = NULL, salt = NULL WHERE workspace_id = p_workspace AND position = p_position;
    UPDATE blobs SET due_at = '-infinity' WHERE workspace_id = p_workspace AND position = p_position;
    DELETE FROM snapshots s USING events e
    WHERE e.workspace_id = p_workspace AND e.position = p_position
      AND s.workspace_id = p_workspace AND s.stream_id = e.stream_id;
END;

-- Another value after a restore to an earlier point: what clients know of positions is then no longer true.
CREATE FUNCTION epoch() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
BEGIN ATOMIC
    SELECT to_hex(s.system_identifier) || '-' || c.timeline_id || '-' || i.restored
    FROM pg_control_system() s, pg_control_checkpoint() c, installation i;
END;

-- ------------------------------------------------------------------------------------------- people, outside the log

-- Profile values and credentials. They are no events: they can be changed and erased.
CREATE TABLE accounts (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    user_id       uuid NOT NULL,
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    display_name  text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200),
    preferences   json NOT NULL DEFAULT '{}',
    time_zone     text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 100),
    locale        text NOT NULL DEFAULT 'en' CHECK (length(locale) BETWEEN 2 AND 100),
    password_hash text NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);
CREATE UNIQUE INDEX accounts_email ON accounts (workspace_id, lower(email));

-- A session is a family of refresh tokens; access tokens name it and die with it.
CREATE TABLE sessions (
    session_id   uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    proved_at    timestamptz NOT NULL DEFAULT clock_timestamp(),  -- when the password was last given
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- by a login or a refresh
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    user_agent   text CHECK (length(user_agent) <= 200),
    network      text CHECK (length(network) <= 50),  -- of the address, the last part cut off
    FOREIGN KEY (workspace_id, user_id) REFERENCES accounts ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (workspace_id, user_id, session_id);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- Only hashes: who reads this table holds no token.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    spent_at   timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE socket_tickets (
    ticket_hash  bytea PRIMARY KEY CHECK (octet_length(ticket_hash) = 32),
    session_id   uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX socket_tickets_expiry ON socket_tickets (expires_at);

-- What a mail brings: good once, for one purpose, for a while. Only the hash is stored. `email` is the address that a
-- change of address is to prove. A row without a user belongs to nobody: who asks for a new password learns from neither
-- the answer nor its time whether there is an account.
CREATE TABLE account_tokens (
    token_hash   bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    purpose      text NOT NULL CHECK (purpose IN ('password', 'email')),
    workspace_id uuid,
    user_id      uuid,
    email        text CHECK (length(email) BETWEEN 3 AND 254),
    expires_at   timestamptz NOT NULL,
    CHECK ((purpose = 'email') = (email IS NOT NULL)),
    FOREIGN KEY (workspace_id, user_id) REFERENCES accounts ON DELETE CASCADE
);
CREATE INDEX account_tokens_user ON account_tokens (workspace_id, user_id);
CREATE INDEX account_tokens_expiry ON account_tokens (expires_at);

-- Second factors. `secret` is encrypted with a key that is derived from TASKFOLD_SECRET_KEY: who reads this table makes
-- no codes. Nobody is asked for one before `added_at`. `step` is that of the last code: no code is good twice.
CREATE TABLE second_factors (
    workspace_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    secret       bytea NOT NULL CHECK (octet_length(secret) BETWEEN 40 AND 100),
    added_at     timestamptz,
    step         bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, user_id),
    FOREIGN KEY (workspace_id, user_id) REFERENCES accounts ON DELETE CASCADE
);

-- For who has lost it: each is good once, then its row goes. They are as random as tokens, so a plain hash will do.
CREATE TABLE recovery_codes (
    workspace_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    code_hash    bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    PRIMARY KEY (workspace_id, user_id, code_hash),
    FOREIGN KEY (workspace_id, user_id) REFERENCES second_factors ON DELETE CASCADE
);

-- The open invites: what of them is personal or secret. That there is one, its role, and what became of it is in the log,
-- in the stream of its id. The row goes when it is used or withdrawn.
CREATE TABLE invites (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    invite_id    uuid NOT NULL,
    token_hash   bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email        text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    role         text NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, invite_id)
);
CREATE UNIQUE INDEX invites_email ON invites (workspace_id, lower(email));  -- nobody is flooded with them

-- Mails on their way, written in the transaction of what they tell of. `body` may hold a token in the clear, so it goes
-- when the mail is sent. A mail without a recipient is never sent: see account_tokens. Not tried before `due_at`.
CREATE TABLE outbox (
    mail_id   uuid PRIMARY KEY,
    recipient text CHECK (length(recipient) BETWEEN 3 AND 254),
    subject   text NOT NULL CHECK (subject <> ''),
    body      text,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at   timestamptz,
    tries     integer NOT NULL DEFAULT 0,
    error     text
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND recipient IS NOT NULL;
CREATE INDEX outbox_made ON outbox (made_at);

-- Mails as a JSON array: [{mail_id, recipient, subject, body}]; null is none.
CREATE FUNCTION post(p_mails json) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog, public
BEGIN ATOMIC
    INSERT INTO outbox (mail_id, recipient, subject, body)
    SELECT m.mail_id, m.recipient, m.subject, m.body
    FROM json_to_recordset(coalesce(p_mails, '[]')) AS m(mail_id uuid, recipient text, subject text, body text);
END;

-- The functions below commit the facts of one command together with what is no fact, or neither. Where the command wrote
-- nothing (its only row is that of the batch when it did), they do nothing else either. They raise no_data_found for a
-- token or an invite that is gone, and unique_violation for an e-mail address or a slug that is taken.

-- Somebody joins, with an invite or without, and perhaps a workspace is founded.
-- Defence: from where an account has been used. Keyed digests of account and address, which nobody can turn back.
CREATE TABLE known_places (
    digest  bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX known_places_seen ON known_places (seen_at);

-- Somebody joins: the account and the facts (one command) come to be together or not at all. Raises unique_violation
-- for an e-mail address or a slug that is taken.
CREATE FUNCTION register(p_workspace uuid, p_account json, p_batch batch)
RETURNS SETOF verdict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    v_verdicts verdict[];
BEGIN
    IF p_account->>'slug' IS NOT NULL AND NOT EXISTS (SELECT FROM workspaces WHERE workspace_id = p_workspace) THEN
        INSERT INTO workspaces (workspace_id, slug) VALUES (p_workspace, p_account->>'slug');
        INSERT INTO logs (workspace_id) VALUES (p_workspace);
    END IF;
    v_verdicts := ARRAY(SELECT v FROM append(p_workspace, p_batch) v);
    IF cardinality(v_verdicts) = 1 THEN
        IF p_account->>'invite_id' IS NOT NULL THEN
            DELETE FROM invites
            WHERE workspace_id = p_workspace AND invite_id = (p_account->>'invite_id')::uuid
              AND lower(email) = lower(p_account->>'email') AND expires_at > clock_timestamp();
            IF NOT FOUND THEN
                RAISE no_data_found USING MESSAGE = 'the invite is gone';
            END IF;
        END IF;
        INSERT INTO accounts (workspace_id, user_id, email, display_name, password_hash)
        VALUES (p_workspace, (p_account->>'user_id')::uuid,
                p_account->>'email', p_account->>'display_name', p_account->>'password_hash');
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END $$;

-- A second factor that was begun is asked for from now on (`sealed`, `step`, `recovery_codes`), or, for null, there is none
-- any more. Raises no_data_found where there is nothing to change.
CREATE FUNCTION change_factor(p_workspace uuid, p_user uuid, p_factor json) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public
AS $$
BEGIN
    IF p_factor->>'sealed' IS NULL THEN
        DELETE FROM second_factors WHERE workspace_id = p_workspace AND user_id = p_user AND added_at IS NOT NULL;
    ELSE
        UPDATE second_factors SET added_at = clock_timestamp(), step = (p_factor->>'step')::bigint
        WHERE workspace_id = p_workspace AND user_id = p_user AND added_at IS NULL
          AND secret = decode(p_factor->>'sealed', 'hex');
    END IF;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = 'there is no such second factor';
    END IF;
    IF p_factor->>'sealed' IS NOT NULL THEN
        INSERT INTO recovery_codes (workspace_id, user_id, code_hash)
        SELECT p_workspace, p_user, decode(code, 'hex') FROM json_array_elements_text(p_factor->'recovery_codes') AS code;
    END IF;
END $$;

-- An account gets new values. `token_hash` is spent for it; `revoke` ends the 'sessions', or 'all' that lets
-- the user in, except for the session `but`; `mails` go out. `factor` is the second factor: 'on' with what
-- `second_factor` says of it, or 'off'.
CREATE FUNCTION change_account(p_workspace uuid, p_account json, p_batch batch)
RETURNS SETOF verdict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    v_user     uuid := (p_account->>'user_id')::uuid;
    v_verdicts verdict[];
BEGIN
    -- Whoever opens a session refers to this row: who is at it is waited for, before the log is locked, and loses it too.
    IF p_account->>'revoke' IS NOT NULL THEN
        PERFORM FROM accounts WHERE workspace_id = p_workspace AND user_id = v_user FOR UPDATE;
    END IF;
    v_verdicts := ARRAY(SELECT v FROM append(p_workspace, p_batch) v);
    IF cardinality(v_verdicts) = 1 THEN
        IF p_account->>'token_hash' IS NOT NULL THEN
            DELETE FROM account_tokens
            WHERE token_hash = decode(p_account->>'token_hash', 'hex') AND expires_at > clock_timestamp()
              AND workspace_id = p_workspace AND user_id = v_user;
            IF NOT FOUND THEN
                RAISE no_data_found USING MESSAGE = 'the token is gone';
            END IF;
        END IF;
        UPDATE accounts
        SET email = coalesce(p_account->>'email', email),
            display_name = coalesce(p_account->>'display_name', display_name),
            preferences = coalesce(p_account->'preferences', preferences),
            time_zone = coalesce(p_account->>'time_zone', time_zone),
            locale = coalesce(p_account->>'locale', locale),
            password_hash = coalesce(p_account->>'password_hash', password_hash)
        WHERE workspace_id = p_workspace AND user_id = v_user;
        -- What went to another address, or was asked for by who knew another password, is good for nothing now.
        IF coalesce(p_account->>'email', p_account->>'password_hash') IS NOT NULL THEN
            DELETE FROM account_tokens WHERE workspace_id = p_workspace AND user_id = v_user;
        END IF;
        IF p_account->>'revoke' IS NOT NULL THEN
            PERFORM revoke_all(p_workspace, v_user, (p_account->>'but')::uuid, p_account->>'revoke' = 'all');
        END IF;
        IF p_account->>'factor' IS NOT NULL THEN
            PERFORM change_factor(p_workspace, v_user, p_account->'second_factor');
        END IF;
        PERFORM post(p_account->'mails');
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END $$;

-- An invite is created, where `token_hash` is given; else it is withdrawn.
CREATE FUNCTION change_invite(p_workspace uuid, p_invite json, p_batch batch)
RETURNS SETOF verdict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    v_verdicts verdict[] := ARRAY(SELECT v FROM append(p_workspace, p_batch) v);
BEGIN
    IF cardinality(v_verdicts) = 1 AND p_invite->>'token_hash' IS NOT NULL THEN
        IF EXISTS (SELECT FROM accounts a
                   WHERE a.workspace_id = p_workspace AND lower(a.email) = lower(p_invite->>'email')) THEN
            RAISE unique_violation USING MESSAGE = 'the address has an account';
        END IF;
        DELETE FROM invites WHERE workspace_id = p_workspace AND expires_at < clock_timestamp();
        INSERT INTO invites (workspace_id, invite_id, token_hash, email, role, created_by, created_at, expires_at)
        VALUES (p_workspace, (p_invite->>'invite_id')::uuid, decode(p_invite->>'token_hash', 'hex'),
                p_invite->>'email', p_invite->>'role', (p_invite->>'created_by')::uuid,
                (v_verdicts[1]).recorded_at::timestamptz, (p_invite->>'expires_at')::timestamptz);
        PERFORM post(p_invite->'mails');
    ELSIF cardinality(v_verdicts) = 1 THEN
        DELETE FROM invites WHERE workspace_id = p_workspace AND invite_id = (p_invite->>'invite_id')::uuid;
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END $$;

-- A file is put at a task, where `sha256` is given, by a command with one event, or is there again, by one with `keep`;
-- else it is taken away, and its bytes stay for `kept_days`.
CREATE FUNCTION change_blob(p_workspace uuid, p_blob json, p_batch batch)
RETURNS SETOF verdict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    v_verdicts verdict[] := ARRAY(SELECT v FROM append(p_workspace, p_batch) v);
BEGIN
    IF cardinality(v_verdicts) = 1 AND p_blob->>'sha256' IS NOT NULL THEN
        INSERT INTO blobs (workspace_id, attachment_id, position, sha256)
        VALUES (p_workspace, (p_blob->>'attachment_id')::uuid, (v_verdicts[1])."position" + 1,
                decode(p_blob->>'sha256', 'hex'));
    ELSIF cardinality(v_verdicts) = 1 AND p_blob->>'keep' IS NOT NULL THEN
        -- The file is there again: the fact that says so names the bytes from now on, unless they are gone already.
        UPDATE blobs SET due_at = 'infinity', position = (v_verdicts[1])."position" + 1
        WHERE workspace_id = p_workspace AND attachment_id = (p_blob->>'attachment_id')::uuid
          AND due_at > clock_timestamp();
        IF NOT FOUND THEN
            RAISE no_data_found USING MESSAGE = 'the bytes are gone';
        END IF;
    ELSIF cardinality(v_verdicts) = 1 THEN
        UPDATE blobs SET due_at = least(due_at, clock_timestamp() + make_interval(days => (p_blob->>'kept_days')::integer))
        WHERE workspace_id = p_workspace AND attachment_id IN (
            SELECT (p_blob->>'attachment_id')::uuid
            UNION ALL SELECT a::uuid FROM json_array_elements_text(p_blob->'attachment_ids') a);
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END $$;

-- ---------------------------------------------------------------------------------------------- personal access tokens

-- For programs, made by a person and good for what `scopes` say. Only the hash is stored: who reads this table holds no
-- token. A revoked one keeps its row, by which every process hears of it. `last_used_at` is right to a minute or so.
CREATE TABLE personal_tokens (
    token_id     uuid PRIMARY KEY,
    token_hash   bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    workspace_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    scopes       text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ ARRAY['read', 'write', 'admin']),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL CHECK (expires_at <= created_at + interval '367 days'),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    FOREIGN KEY (workspace_id, user_id) REFERENCES accounts ON DELETE CASCADE
);
CREATE INDEX personal_tokens_user ON personal_tokens (workspace_id, user_id, token_id);
CREATE INDEX personal_tokens_revoked ON personal_tokens (revoked_at) WHERE revoked_at IS NOT NULL;

-- A secret address of what is due to somebody, for calendars, which cannot log in. Only the hash of the secret is stored.
-- Whoever withdraws it deletes the row: nobody remembers one, so that holds at once everywhere.
CREATE TABLE feeds (
    feed_id      uuid PRIMARY KEY,
    secret_hash  bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    workspace_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    teams        boolean NOT NULL DEFAULT false,  -- it shows what the teams of the user have, too
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,  -- right to a minute or so
    FOREIGN KEY (workspace_id, user_id) REFERENCES accounts ON DELETE CASCADE
);
CREATE INDEX feeds_user ON feeds (workspace_id, user_id, feed_id);

-- End all that a user is logged in with, but for one session, and where `p_tokens` says so the personal tokens and feeds too.
-- Answers the ids of what ended. It commits with the transaction that it is called in; in the order of ids, so that two
-- calls do not wait for each other.
CREATE FUNCTION revoke_all(p_workspace uuid, p_user uuid, p_but uuid, p_tokens boolean) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, public
BEGIN ATOMIC
    WITH sessions_ended AS (
        UPDATE sessions SET revoked_at = clock_timestamp()
        WHERE session_id IN (
            SELECT s.session_id FROM sessions s
            WHERE s.workspace_id = p_workspace AND s.user_id = p_user AND s.revoked_at IS NULL
              AND s.session_id IS DISTINCT FROM p_but
            ORDER BY s.session_id FOR UPDATE)
        RETURNING session_id
    ), tokens_ended AS (
        UPDATE personal_tokens SET revoked_at = clock_timestamp()
        WHERE token_id IN (
            SELECT t.token_id FROM personal_tokens t
            WHERE p_tokens AND t.workspace_id = p_workspace AND t.user_id = p_user AND t.revoked_at IS NULL
            ORDER BY t.token_id FOR UPDATE)
        RETURNING token_id
    ), feeds_ended AS (
        DELETE FROM feeds f WHERE p_tokens AND f.workspace_id = p_workspace AND f.user_id = p_user
    )
    SELECT session_id FROM sessions_ended UNION ALL SELECT token_id FROM tokens_ended;
END;

-- ------------------------------------------------------------------------------------------------------ signing keys

-- A key that signs access tokens is derived from TASKFOLD_SECRET_KEY and a salt: who reads this table can sign nothing,
-- and neither can who knows the secret and not the table. The last row whose time has come signs; all sign for those
-- who verify, until they are retired.
CREATE TABLE signing_keys (
    key_id     integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    salt       bytea NOT NULL CHECK (octet_length(salt) = 32)
               DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    signs_from timestamptz NOT NULL DEFAULT clock_timestamp(),  -- later than made, so that all know it before
    retired_at timestamptz CHECK (retired_at >= created_at)  -- from then on what it signed is refused
);
INSERT INTO signing_keys DEFAULT VALUES;  -- so the first processes agree without a word

-- ------------------------------------------------------------------------------------------------------- read tables
-- No CHECK here that a logged fact could violate: what is in the log must project.

-- A projection of a workspace may have several builds side by side, each with its own rows and its own checkpoint. One
-- is live: readers and sockets see that one alone, picked in the statement that reads the rows, so a swap is one moment.
--
-- state: 'live'; 'filling' (workers keep it up to date beside the live one, until it is swapped in); 'kept' (was live,
--   for a rollback; nobody works at it); 'dropping' (its rows are being deleted: good for nothing any more).
-- `failed_at` is the position that cannot be projected, once it is known exactly. `tries` is raised by who wants it tried
-- again at once. `share` is the part of its time that a worker may spend on a build that is not live (null: its own
-- setting). `swapped_at` is when the build became live, or ceased to be.
CREATE TABLE checkpoints (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    projection   text NOT NULL,
    build        smallint NOT NULL CHECK (build > 0),
    state        text NOT NULL CHECK (state IN ('live', 'filling', 'kept', 'dropping')),
    live         boolean NOT NULL GENERATED ALWAYS AS (state = 'live') STORED,
    position     bigint NOT NULL DEFAULT 0,
    lease        uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    error        text,
    failed_at    bigint,
    tries        integer NOT NULL DEFAULT 0,
    share        real CHECK (share > 0 AND share <= 1),
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    swapped_at   timestamptz,
    PRIMARY KEY (workspace_id, projection, build)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX checkpoints_live ON checkpoints (workspace_id, projection) WHERE live;

-- An event that somebody decided to leave out of a projection, because it cannot be read. Never taken back: cure the
-- event or the program, and rebuild.
CREATE TABLE passed_over (
    workspace_id uuid NOT NULL,
    projection   text NOT NULL,
    position     bigint NOT NULL,
    reason       text NOT NULL CHECK (reason <> ''),
    decided_by   text NOT NULL DEFAULT session_user,
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, projection, position),
    FOREIGN KEY (workspace_id, position) REFERENCES events
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON passed_over
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
ALTER TABLE passed_over ENABLE ALWAYS TRIGGER append_only;

-- A text in which words end where they do for people. The parser of PostgreSQL takes addresses, paths, `<tags>` and numbers
-- with a sign for words as a whole, so that nothing in them is found; and of other than ASCII it takes all for letters,
-- also dashes, quotes, blanks that do not break and emoji. So these become blanks; what stands for itself, as symbols do and
-- what is written without blanks in Chinese and Japanese, becomes a word each, and some of them in a row a phrase.
-- `projections/highlights.py` knows the same.
CREATE FUNCTION parted(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(
    CASE WHEN octet_length(written) = length(written) THEN written
         ELSE regexp_replace(regexp_replace(normalize(written),
             '[\u00A0-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u05BE\u05C3\u060C\u061B\u061F\u06D4'
             '\u0964\u0965\u1680\u2000-\u200B\u200E-\u206F\u20A0-\u20CF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u30FB'
             '\uFE00-\uFE19\uFE30-\uFE6F\uFEFF-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFFC\uFFFD]', ' ', 'g'),
             '([\u2100-\u2BFF\u2E80-\u2FFF\u3005-\u3007\u3021-\u302F\u3031-\u30FA\u30FC-\u30FF\u3400-\u4DBF\u4E00-\u9FFF'
             '\uF900-\uFAFF\uFF66-\uFF9F\U0001F000-\U0001FAFF\U00020000-\U0003FFFF])', ' \1 ', 'g') END,
    '-./<@&+', '       ');

-- What a search finds, by weight. A tsvector ends at 1 MB, so what stands past 50,000 characters is not searched.
-- The parser's time grows with the square of a run without blanks; so runs are cut every 200 characters.
-- The key stands there as a whole, and each tag once more after a `#`, with which no word of a text begins: so both are
-- looked up by the same index.
CREATE FUNCTION words(key text, title text, tags text[], description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(to_tsvector('simple', parted(title)), 'A')
    || setweight(to_tsvector('simple', parted(array_to_string(tags, ' '))), 'B')
    || setweight(to_tsvector('simple', CASE
           WHEN length(description) < 200 THEN parted(description)  -- half as long as with the expression
           ELSE regexp_replace(parted(left(description, 50000)), '([^ \t\n]{200})', '\1 ', 'g')
       END), 'C')
    || CASE WHEN key <> '' THEN setweight(('''' || replace(lower(key), '''', '''''') || ''':1')::tsvector, 'A') ELSE '' END
    || CASE WHEN cardinality(tags) = 0 THEN ''
            ELSE array_to_tsvector(string_to_array('#' || array_to_string(tags, E'\x01#'), E'\x01')) END;

-- What is asked for: the words of a text in this order; and the same where the last one may go on.
CREATE FUNCTION phrase(asked text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN phraseto_tsquery('simple', parted(asked));
CREATE FUNCTION beginning(asked text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN numnode(phrase(asked)) = 0 THEN phrase(asked)
            ELSE (phrase(asked)::text || ':*')::tsquery END;

CREATE TABLE tasks (
    workspace_id  uuid NOT NULL,
    build         smallint NOT NULL,
    task_id       uuid NOT NULL,
    version       integer NOT NULL,
    position      bigint NOT NULL,
    title         text NOT NULL,
    description   text NOT NULL,
    status        text NOT NULL,
    category      text NOT NULL,
    priority      smallint NOT NULL,  -- its rank: 0 low … 3 urgent
    start_at      timestamptz,
    due_at        timestamptz,
    due_on        date,  -- where it is due by the end of a day: `due_at` follows from it
    due_zone      text,
    overdue_since timestamptz,  -- the due date that passed while it was open
    assignee_type text,
    assignee_id   uuid,
    project_id    uuid,
    key           text,
    parent_id     uuid,
    subtasks      jsonb NOT NULL,
    links         jsonb NOT NULL,
    tags          text[] NOT NULL,
    estimate_minutes integer,
    series_id     uuid,
    occurrence    timestamptz,  -- which one of the series it is
    followed_by   uuid,  -- the next one of it
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    completed_at  timestamptz,
    deleted_at    timestamptz,
    purged_at     timestamptz,
    search        tsvector NOT NULL GENERATED ALWAYS AS (words(key, title, tags, description)) STORED,
    PRIMARY KEY (workspace_id, build, task_id)
) WITH (fillfactor = 80);
CREATE INDEX tasks_created ON tasks (workspace_id, build, created_at DESC, task_id DESC);
CREATE INDEX tasks_assignee ON tasks (workspace_id, build, assignee_id);
CREATE INDEX tasks_creator ON tasks (workspace_id, build, created_by);
CREATE INDEX tasks_project ON tasks (workspace_id, build, project_id, status) WHERE project_id IS NOT NULL;
CREATE INDEX tasks_key ON tasks (workspace_id, build, key) WHERE key IS NOT NULL;
CREATE INDEX tasks_series ON tasks (workspace_id, build, series_id, occurrence) WHERE series_id IS NOT NULL;
CREATE INDEX tasks_parent ON tasks (workspace_id, build, parent_id) WHERE parent_id IS NOT NULL;
-- One for each sort, with the id that tells equal ones apart; a filter by the same column is looked up by it too.
CREATE INDEX tasks_status ON tasks (workspace_id, build, category, status);
CREATE INDEX tasks_priority ON tasks (workspace_id, build, priority, task_id);
CREATE INDEX tasks_updated ON tasks (workspace_id, build, updated_at, task_id);
CREATE INDEX tasks_title ON tasks (workspace_id, build, title, task_id);
CREATE INDEX tasks_due ON tasks (workspace_id, build, (coalesce(due_at, 'infinity')), task_id);
CREATE INDEX tasks_due_last ON tasks (workspace_id, build, (coalesce(due_at, '-infinity')), task_id);
-- Of those alone that have a start, and of what lies in the trash: few have either, so they cost the others nothing.
CREATE INDEX tasks_start ON tasks (workspace_id, build, start_at, task_id) WHERE start_at IS NOT NULL;
CREATE INDEX tasks_trash ON tasks (workspace_id, build, created_at DESC, task_id DESC) WHERE deleted_at IS NOT NULL;
-- What is to be indexed waits in a list; whoever finds it full empties it. With 4 MB, the default, that took 100 ms.
CREATE INDEX tasks_search ON tasks USING gin (search) WITH (gin_pending_list_limit = 64);

-- The words of the texts of a build, for those who misspell one: each also without each of its characters.
CREATE TABLE lexicon (
    workspace_id uuid NOT NULL,
    projection   text NOT NULL,
    build        smallint NOT NULL,
    variant      text NOT NULL,
    word         text NOT NULL,
    PRIMARY KEY (workspace_id, projection, build, variant, word)
);

CREATE FUNCTION shortened(word text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT word UNION SELECT overlay(word PLACING '' FROM n FOR 1) FROM generate_series(1, length(word)) n;
END;

-- A task as clients get it; `domain.task.Task` encodes to the same document, field for field.
CREATE FUNCTION task_document(t tasks) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT t.task_id AS id, t.version, t.position, t.title, t.description, t.status, t.category,
           (ARRAY['low', 'normal', 'high', 'urgent'])[t.priority + 1] AS priority,
           instant(t.start_at) AS start_at, instant(t.due_at) AS due_at, t.due_on, t.due_zone,
           instant(t.overdue_since) AS overdue_since,
           CASE WHEN t.assignee_id IS NOT NULL THEN (
               SELECT row_to_json(a) FROM (SELECT t.assignee_type AS type, t.assignee_id AS id) a) END AS assignee,
           t.project_id, t.key, t.parent_id, t.subtasks, t.links, t.tags, t.estimate_minutes,
           t.series_id, instant(t.occurrence) AS occurrence, t.followed_by, t.created_by,
           instant(t.created_at) AS created_at, instant(t.updated_at) AS updated_at,
           instant(t.completed_at) AS completed_at, instant(t.deleted_at) AS deleted_at,
           instant(t.purged_at) AS purged_at) document);

-- Move a checkpoint together with the rows of its batch: the fence against a second writer. Raises when another
-- worker has moved it or holds the lease.
CREATE FUNCTION move_checkpoint(p_workspace uuid, p_projection text, p_build smallint, p_lease uuid,
                                p_from bigint, p_to bigint, p_lease_seconds double precision)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE checkpoints
    SET position = p_to, leased_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
        error = NULL, failed_at = NULL, updated_at = clock_timestamp()
    WHERE workspace_id = p_workspace AND projection = p_projection AND build = p_build
      AND position = p_from AND lease = p_lease AND state IN ('live', 'filling');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'projection % has another writer', p_projection USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;

CREATE TABLE users (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    user_id      uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    role         text NOT NULL,
    active       boolean NOT NULL,
    teams        jsonb NOT NULL,  -- team -> role in it
    projects     jsonb NOT NULL,  -- project -> role in it
    joined_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, build, user_id)
);

CREATE TABLE teams (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    team_id      uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    description  text NOT NULL,
    members      jsonb NOT NULL,  -- user -> role in the team
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, build, team_id)
);

-- A team as the log folds to it; `domain.team.Team` encodes to the same document, field for field.
CREATE FUNCTION team_document(t teams) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT t.team_id AS id, t.version, t.position, t.name, t.description, t.members,
           instant(t.created_at) AS created_at, instant(t.updated_at) AS updated_at,
           instant(t.deleted_at) AS deleted_at) document);

CREATE TABLE projects (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    project_id   uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    key          text NOT NULL,
    description  text NOT NULL,
    blocking     text NOT NULL,
    members      jsonb NOT NULL,  -- user -> role in the project
    workflow_id  uuid,  -- none: the standard one
    mapped       jsonb NOT NULL,  -- status that a workflow lacked -> the one that took its place
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    archived_at  timestamptz,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, build, project_id)
);
CREATE INDEX projects_archived ON projects (workspace_id, build, project_id) WHERE archived_at IS NOT NULL;

-- A project as the log folds to it; `domain.project.Project` encodes to the same document, field for field.
CREATE FUNCTION project_document(p projects) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT p.project_id AS id, p.version, p.position, p.name, p.key, p.description, p.blocking, p.members,
           p.workflow_id, p.mapped, p.created_by,
           instant(p.created_at) AS created_at, instant(p.updated_at) AS updated_at,
           instant(p.archived_at) AS archived_at, instant(p.deleted_at) AS deleted_at) document);

CREATE TABLE workflows (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    workflow_id  uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    definition   jsonb NOT NULL,  -- statuses, initial, moves
    projects     jsonb NOT NULL,  -- those that live by it
    mapped       jsonb NOT NULL,  -- status that it lost -> the one that took its place
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, build, workflow_id)
);

-- A workflow as the log folds to it; `domain.custom_workflow.CustomWorkflow` encodes to the same, field for field.
CREATE FUNCTION workflow_document(w workflows) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT w.workflow_id AS id, w.version, w.position, w.name, w.definition, w.projects, w.mapped, w.created_by,
           instant(w.created_at) AS created_at, instant(w.updated_at) AS updated_at,
           instant(w.deleted_at) AS deleted_at) document);

CREATE TABLE templates (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    template_id  uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    description  text NOT NULL,
    variables    jsonb NOT NULL,
    tasks        jsonb NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, build, template_id)
);

-- A template as the log folds to it; `domain.template.Template` encodes to the same document, field for field.
CREATE FUNCTION template_document(t templates) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT t.template_id AS id, t.version, t.position, t.name, t.description, t.variables, t.tasks, t.created_by,
           instant(t.created_at) AS created_at, instant(t.updated_at) AS updated_at,
           instant(t.deleted_at) AS deleted_at) document);

CREATE TABLE views (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    view_id      uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    name         text NOT NULL,
    query        text NOT NULL,
    sharing      text NOT NULL,
    team_id      uuid,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, build, view_id)
);

-- A saved view as the log folds to it; `domain.view.View` encodes to the same document, field for field.
CREATE FUNCTION view_document(v views) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT v.view_id AS id, v.version, v.position, v.name, v.query, v.sharing, v.team_id, v.created_by,
           instant(v.created_at) AS created_at, instant(v.updated_at) AS updated_at,
           instant(v.deleted_at) AS deleted_at) document);

-- --------------------------------------------------------------------------------------------- read tables: what is said

-- What a search finds in a comment; cut as in `words`. Whom it mentions is no word.
CREATE FUNCTION said(body text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple', regexp_replace(
    parted(regexp_replace(body, '@\{[0-9a-fA-F-]{36}\}', ' ', 'g')), '([^ \t\n]{200})', '\1 ', 'g'));

CREATE TABLE comments (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    comment_id   uuid NOT NULL,
    version      integer NOT NULL,
    position     bigint NOT NULL,
    task_id      uuid,  -- null: the posting was erased
    body         text,  -- null: deleted
    mentions     text[] NOT NULL,
    reply_to     uuid,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    edited_at    timestamptz,
    deleted_at   timestamptz,
    deleted_by   uuid,
    search       tsvector GENERATED ALWAYS AS (said(body)) STORED,  -- null: deleted
    PRIMARY KEY (workspace_id, build, comment_id)
);
CREATE INDEX comments_task ON comments (workspace_id, build, task_id, comment_id);
CREATE INDEX comments_replies ON comments (workspace_id, build, reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX comments_search ON comments USING gin (search) WITH (gin_pending_list_limit = 64);

-- A comment as the log folds to it; `domain.comment.Comment` encodes to the same document, field for field.
CREATE FUNCTION comment_document(c comments) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT c.comment_id AS id, c.version, c.position, c.task_id, c.body, c.mentions, c.reply_to, c.created_by,
           instant(c.created_at) AS created_at, instant(c.updated_at) AS updated_at,
           instant(c.edited_at) AS edited_at, instant(c.deleted_at) AS deleted_at, c.deleted_by) document);

-- The files at a task: `attachment_id` names their stream, of which a task has one.
CREATE TABLE attachments (
    workspace_id  uuid NOT NULL,
    build         smallint NOT NULL,
    attachment_id uuid NOT NULL,
    version       integer NOT NULL,
    position      bigint NOT NULL,
    task_id       uuid,  -- null: the first file was erased
    items         jsonb NOT NULL,
    PRIMARY KEY (workspace_id, build, attachment_id)
);
CREATE INDEX attachments_task ON attachments (workspace_id, build, task_id) WHERE items <> '[]';

-- As the log folds to it; `domain.attachment.Attachments` encodes to the same document, field for field.
CREATE FUNCTION attachments_document(a attachments) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT a.attachment_id AS id, a.version, a.position, coalesce(a.task_id::text, '') AS task_id, a.items) document);

-- ------------------------------------------------------------------------------------------- read tables: who is told

-- Who is told of an event, for ever: what they have read of it stands in their inbox, a stream. Whoever prefers not to be
-- told, or no longer sees the task, is not shown it.
CREATE TABLE notifications (
    workspace_id    uuid NOT NULL,
    build           smallint NOT NULL,
    notification_id uuid NOT NULL,  -- follows from the user and the position
    user_id         uuid NOT NULL,
    position        bigint NOT NULL,
    reason          text NOT NULL,
    event           text NOT NULL,
    task_id         uuid NOT NULL,
    comment_id      uuid,
    actor           text NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, build, notification_id)
);
CREATE UNIQUE INDEX notifications_user ON notifications (workspace_id, build, user_id, position);
CREATE INDEX notifications_position ON notifications (workspace_id, build, position);

-- A notification as clients get it. It is named by its position: nobody has two at one.
CREATE FUNCTION notification_document(n notifications) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT row_to_json(document) FROM (
    SELECT n.position, n.reason, n.event, n.task_id, n.comment_id, n.actor, instant(n.at) AS at) document);

-- --------------------------------------------------------------------------------- read tables: what happens at a time

-- One row for each thing to which something may have to happen at a time, such as a task: the next moment, and since when
-- it lies in the trash. What then happens is decided by its state in the log, and these rows are how it is found.
CREATE TABLE timers (
    workspace_id uuid NOT NULL,
    build        smallint NOT NULL,
    timer_id     uuid NOT NULL,  -- of the thing
    kind         text NOT NULL,
    position     bigint NOT NULL,
    fires_at     timestamptz,
    rests_with   uuid,  -- the project in whose archive it does not fire
    emptied_from timestamptz,
    state        jsonb NOT NULL,  -- what the moments follow from
    PRIMARY KEY (workspace_id, build, timer_id)
) WITH (fillfactor = 80);
CREATE INDEX timers_fire ON timers (fires_at, timer_id) WHERE fires_at IS NOT NULL;
CREATE INDEX timers_trash ON timers (emptied_from, timer_id) WHERE emptied_from IS NOT NULL;
CREATE INDEX timers_position ON timers (workspace_id, build, position);

-- -------------------------------------------------------------------------------------------------------------- jobs

-- What takes longer than a request: asked for once, done by a worker, looked at meanwhile. No facts: what a job changes is
-- in the log, where its id is the correlation, and whoever takes it up again finds there what is done. `input` says what is
-- to be done; `done` of `total` are of the `phase` that it is in. Its worker holds the lease.
CREATE TABLE jobs (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    job_id       uuid NOT NULL,
    kind         text NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    owner_id     uuid NOT NULL,
    state        text NOT NULL DEFAULT 'receiving'
                 CHECK (state IN ('receiving', 'queued', 'checking', 'running', 'done', 'failed', 'cancelled')),
    input        json NOT NULL,
    phase        text NOT NULL DEFAULT 'waiting',
    done         bigint NOT NULL DEFAULT 0 CHECK (done >= 0),
    total        bigint NOT NULL DEFAULT 0 CHECK (total >= 0),
    counts       json NOT NULL DEFAULT '{}',
    problem      json,
    position     bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    key          text COLLATE "C" CHECK (length(key) <= 255),
    fingerprint  text,
    tries        integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    lease        uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    PRIMARY KEY (workspace_id, job_id),
    CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed', 'cancelled')))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX jobs_key ON jobs (workspace_id, owner_id, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_owner ON jobs (workspace_id, owner_id, job_id);
CREATE INDEX jobs_due ON jobs (job_id) WHERE state IN ('queued', 'checking', 'running');
CREATE INDEX jobs_old ON jobs (updated_at) WHERE state IN ('receiving', 'done', 'failed', 'cancelled');

-- What was sent with a job, in pieces as they came, until it is read.
CREATE TABLE job_bytes (
    workspace_id uuid NOT NULL,
    job_id       uuid NOT NULL,
    n            integer NOT NULL CHECK (n > 0),
    bytes        bytea NOT NULL,
    PRIMARY KEY (workspace_id, job_id, n),
    FOREIGN KEY (workspace_id, job_id) REFERENCES jobs ON DELETE CASCADE
);

-- What became of each line of what was sent. `work` is the task that it describes, `parent_id` the one above it, `links` what
-- it is to others, `checklist` its items; `root` is the line of the topmost task of the file above it (itself, if there is
-- none), `level` how deep it lies below that: trees are written one after another, parents first. Once it is there,
-- `joins` says that its links and its checklist are still to be written.
CREATE TABLE job_lines (
    workspace_id uuid NOT NULL,
    job_id       uuid NOT NULL,
    line         integer NOT NULL CHECK (line > 0),
    root         integer NOT NULL,
    level        smallint NOT NULL DEFAULT 0,
    task_id      uuid,
    parent_id    uuid,
    verdict      text NOT NULL CHECK (verdict IN ('valid', 'refused', 'created', 'present')),
    joins        boolean NOT NULL DEFAULT false,
    work         text,
    links        text,
    checklist    text,
    problems     json NOT NULL DEFAULT '[]',
    PRIMARY KEY (workspace_id, job_id, line),
    FOREIGN KEY (workspace_id, job_id) REFERENCES jobs ON DELETE CASCADE
) WITH (fillfactor = 80);
CREATE INDEX job_lines_work ON job_lines (workspace_id, job_id, root, level, line) WHERE verdict = 'valid';
CREATE INDEX job_lines_joins ON job_lines (workspace_id, job_id, line) WHERE joins;

-- ------------------------------------------------------------------------------------------------------------ grants

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO taskfold_serving;
GRANT EXECUTE ON FUNCTION instant, parted, words, phrase, beginning, shortened, task_document, team_document, project_document, workflow_document, move_checkpoint, append, epoch TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON sessions, refresh_tokens, socket_tickets TO taskfold_serving;
GRANT INSERT, UPDATE (last_used_at, revoked_at), DELETE ON personal_tokens TO taskfold_serving;
GRANT INSERT, UPDATE (last_used_at), DELETE ON feeds TO taskfold_serving;
GRANT EXECUTE ON FUNCTION revoke_all TO taskfold_serving;
GRANT INSERT (signs_from), UPDATE (retired_at) ON signing_keys TO taskfold_serving;
GRANT EXECUTE ON FUNCTION register, change_account, change_invite, post TO taskfold_serving;
GRANT INSERT, UPDATE (expires_at), DELETE ON account_tokens TO taskfold_serving;
GRANT INSERT, UPDATE (secret, step) ON second_factors TO taskfold_serving;
GRANT INSERT, DELETE ON recovery_codes TO taskfold_serving;
GRANT INSERT, UPDATE (body, due_at, sent_at, tries, error), DELETE ON outbox TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON known_places TO taskfold_serving;
GRANT UPDATE (email, display_name, preferences, password_hash) ON accounts TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON checkpoints, tasks, users, teams, projects, workflows TO taskfold_serving;
GRANT INSERT (workspace_id, projection, position, reason) ON passed_over TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON comments TO taskfold_serving;
GRANT INSERT, DELETE ON lexicon TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON views, attachments TO taskfold_serving;
GRANT EXECUTE ON FUNCTION view_document, attachments_document TO taskfold_serving;
GRANT EXECUTE ON FUNCTION change_blob TO taskfold_serving;
GRANT DELETE ON blobs TO taskfold_serving;
GRANT EXECUTE ON FUNCTION comment_document, said TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON notifications, timers TO taskfold_serving;
GRANT EXECUTE ON FUNCTION notification_document TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON snapshots TO taskfold_serving;
GRANT EXECUTE ON FUNCTION is_of_log TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON templates TO taskfold_serving;
GRANT EXECUTE ON FUNCTION template_document TO taskfold_serving;
GRANT INSERT, UPDATE, DELETE ON jobs, job_lines TO taskfold_serving;
GRANT INSERT, DELETE ON job_bytes TO taskfold_serving;

-- The version that migrations/ counts. 1 is this file as first released.
CREATE TABLE schema_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  integer NOT NULL
);
INSERT INTO schema_version (version) VALUES (1);
GRANT SELECT ON schema_version TO taskfold_serving;
