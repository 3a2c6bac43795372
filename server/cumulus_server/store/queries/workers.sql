-- name: insert_worker_token
INSERT INTO worker_tokens (token_hash, created_ms, expires_ms) VALUES (:token_hash, :created_ms, :expires_ms);

-- name: use_worker_token
UPDATE worker_tokens SET session_hash = :session_hash, hostname = :hostname, used_ms = :now_ms
WHERE token_hash = :token_hash AND session_hash IS NULL AND expires_ms > :now_ms;

-- name: find_worker_token
SELECT * FROM worker_tokens WHERE token_hash = ?;

-- name: find_worker_session
SELECT * FROM worker_tokens WHERE session_hash = ? ORDER BY used_ms DESC LIMIT 1;

-- name: touch_worker_session
UPDATE worker_tokens SET used_ms = :now_ms, left_ms = NULL WHERE session_hash = :session_hash;

-- name: end_worker_session
UPDATE worker_tokens SET left_ms = :now_ms WHERE session_hash = :session_hash;

-- name: delete_worker_tokens
DELETE FROM worker_tokens
WHERE (session_hash IS NULL AND expires_ms < :unused_before_ms)
   OR (used_ms < :used_before_ms AND session_hash NOT IN (SELECT session_hash FROM workers));

-- name: put_worker
INSERT OR REPLACE INTO workers
    (node_id, name, session_hash, ssh_address, ssh_port, ssh_user, host_key, probe, enrolled_ms)
VALUES
    (:node_id, :name, :session_hash, :ssh_address, :ssh_port, :ssh_user, :host_key, :probe, :enrolled_ms);

-- name: find_worker
SELECT * FROM workers WHERE node_id = ?;

-- name: list_workers
SELECT * FROM workers ORDER BY enrolled_ms, node_id;

-- name: delete_worker
DELETE FROM workers WHERE node_id = ?;
