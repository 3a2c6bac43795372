-- One-time tokens for new workers, and the sessions that have used them up.
CREATE TABLE worker_tokens (
    token_hash    TEXT PRIMARY KEY,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    session_hash  TEXT,                                  -- of the host's session key; set by the first use
    hostname      TEXT NOT NULL DEFAULT '',              -- that the host gave at its first use
    used_ms       INTEGER,                               -- of the newest use
    left_ms       INTEGER                                -- set once the host has left
) WITHOUT ROWID;

CREATE INDEX worker_tokens_session ON worker_tokens (session_hash) WHERE session_hash IS NOT NULL;

-- Hosts that were enrolled and are ready, by the Swarm's node.
CREATE TABLE workers (
    node_id       TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    session_hash  TEXT NOT NULL,
    ssh_address   TEXT NOT NULL,
    ssh_port      INTEGER NOT NULL,
    ssh_user      TEXT NOT NULL,
    host_key      TEXT NOT NULL,
    probe         TEXT NOT NULL,                         -- JSON, as the relay read it by SSH
    enrolled_ms   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX workers_session ON workers (session_hash);
