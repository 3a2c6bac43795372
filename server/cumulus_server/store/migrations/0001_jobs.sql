CREATE TABLE jobs (
    number           INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of submission
    id               TEXT NOT NULL UNIQUE,
    owner            TEXT NOT NULL,
    idempotency_key  TEXT,
    request_hash     TEXT NOT NULL DEFAULT '',
    spec             BLOB NOT NULL,                      -- JobSpec as JSON, without its program
    bundle_bytes     INTEGER NOT NULL DEFAULT 0,
    status           TEXT NOT NULL,
    target           TEXT NOT NULL DEFAULT 'COMPLETED',
    target_error     TEXT,                               -- JSON: why the target is FAILED or CANCELLED
    attempt          INTEGER NOT NULL DEFAULT 0,
    executor         TEXT NOT NULL DEFAULT '',
    worker           TEXT NOT NULL DEFAULT '',
    devices          TEXT NOT NULL DEFAULT '[]',
    enforced_by      TEXT NOT NULL DEFAULT '',
    handle           TEXT,
    partition        TEXT,
    claim_hash       TEXT,                               -- of the attempt's one-time claim token
    session_hash     TEXT,                               -- of the session key; set by the claim
    runner_through   INTEGER NOT NULL DEFAULT 0,         -- highest event number taken from this attempt
    last_seq         INTEGER NOT NULL DEFAULT 0,
    message          TEXT NOT NULL DEFAULT '',
    error            TEXT,                               -- JSON: the error that ended the job
    released         INTEGER NOT NULL DEFAULT 1,         -- 0: something outside may still be held
    created_ms       INTEGER NOT NULL,
    attempt_ms       INTEGER,                            -- start of the current attempt
    started_ms       INTEGER,                            -- claim of the current attempt
    ended_ms         INTEGER
);

-- Apart from the jobs, whose rows are written anew with every event.
CREATE TABLE programs (
    number  INTEGER PRIMARY KEY,                         -- of the job
    body    BLOB NOT NULL                                -- JSON, opaque to the relay
);

CREATE UNIQUE INDEX jobs_idempotency ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_unfinished ON jobs (number) WHERE ended_ms IS NULL OR released = 0;
CREATE INDEX jobs_ended ON jobs (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX jobs_owner ON jobs (owner, number);

-- One clustered tree: the place of an event is its job's number * 2^32 + its seq.
CREATE TABLE events (
    place  INTEGER PRIMARY KEY,
    type   TEXT NOT NULL,
    body   BLOB NOT NULL                                 -- the event's JSON as it goes to followers
);

-- Which attempt a runner's session key belongs to; older attempts stay, to be told that they are over.
CREATE TABLE sessions (
    session_hash  TEXT PRIMARY KEY,
    job_id        TEXT NOT NULL,
    attempt       INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX sessions_job ON sessions (job_id);

CREATE TABLE stored_values (
    job_id  TEXT NOT NULL,
    name    TEXT NOT NULL,
    attempt INTEGER NOT NULL,                            -- that stored it; part of its file's name
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (job_id, name)
) WITHOUT ROWID;

CREATE TABLE leases (
    job_id   TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    worker   TEXT NOT NULL,
    device   TEXT NOT NULL,
    tenths   INTEGER NOT NULL,
    PRIMARY KEY (job_id, attempt, worker, device)
) WITHOUT ROWID;

CREATE TABLE meta (
    key    TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) WITHOUT ROWID;
