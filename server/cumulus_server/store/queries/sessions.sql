-- name: take_claim
UPDATE jobs SET session_hash = :session_hash, runner_through = 0
WHERE id = :id AND attempt = :attempt AND session_hash IS NULL
RETURNING *;

-- name: insert_session
INSERT INTO sessions (session_hash, job_id, attempt) VALUES (?, ?, ?);

-- name: find_session
SELECT job_id, attempt FROM sessions WHERE session_hash = ?;

-- name: delete_sessions
DELETE FROM sessions WHERE job_id = ?;

-- name: set_runner_through
UPDATE jobs SET runner_through = ? WHERE number = ?;
