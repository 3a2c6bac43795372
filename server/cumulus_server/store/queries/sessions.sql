-- name: take_claim
UPDATE jobs SET session_hash = :session_hash, runner_through = 0
WHERE id = :id AND attempt = :attempt AND session_hash IS NULL;

-- name: insert_session
INSERT INTO sessions (session_hash, job_id, attempt) VALUES (?, ?, ?);

-- name: find_session
SELECT job_id, attempt FROM sessions WHERE session_hash = ?;

-- name: find_job_of_session
SELECT jobs.*, sessions.attempt AS session_attempt
FROM sessions JOIN jobs ON jobs.id = sessions.job_id
WHERE sessions.session_hash = ?;

-- name: delete_sessions
DELETE FROM sessions WHERE job_id = ?;

-- name: set_received
UPDATE jobs SET runner_through = ?, last_seq = ? WHERE number = ?;
