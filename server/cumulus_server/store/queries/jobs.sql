-- name: insert_job
INSERT INTO jobs (id, owner, idempotency_key, request_hash, spec, bundle_bytes, status, created_ms, last_seq)
VALUES (:id, :owner, :idempotency_key, :request_hash, :spec, :bundle_bytes, 'QUEUED', :now_ms, 1)
RETURNING *;

-- name: get_job
SELECT * FROM jobs WHERE id = ?;

-- name: get_job_of_number
SELECT * FROM jobs WHERE number = ?;

-- name: get_program
SELECT body FROM programs WHERE number = ?;

-- name: insert_program
INSERT INTO programs (number, body) VALUES (?, ?);

-- name: delete_program
DELETE FROM programs WHERE number = ?;

-- name: find_idempotent
SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?;

-- name: list_jobs
SELECT number FROM jobs
WHERE owner = :owner
  AND (:state IS NULL OR status = :state)
  AND (:before IS NULL OR number < :before)
  AND (:label IS NULL OR EXISTS (
        SELECT 1 FROM json_each(jobs.spec, '$.labels') AS label
        WHERE label.key = :label AND (:label_value IS NULL OR label.value = :label_value)))
ORDER BY number DESC
LIMIT :count;

-- name: newest_and_active
SELECT number FROM (SELECT number FROM jobs WHERE owner = :owner ORDER BY number DESC LIMIT :newest)
UNION
SELECT number FROM (
    SELECT number FROM jobs
    WHERE (ended_ms IS NULL OR released = 0) AND ended_ms IS NULL AND +owner = :owner
    ORDER BY number DESC
    LIMIT :active)
ORDER BY number DESC;

-- name: transition
UPDATE jobs
SET status = :to,
    message = :message,
    last_seq = last_seq + 1,
    error = coalesce(:error, error),
    started_ms = CASE WHEN :to = 'RUNNING' THEN :now_ms ELSE started_ms END,
    ended_ms = CASE WHEN :to IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN :now_ms ELSE ended_ms END
WHERE id = :id
  AND instr(:allowed, ' ' || status || ' ') > 0
  AND (:attempt IS NULL OR attempt = :attempt)
RETURNING *;

-- name: set_target
UPDATE jobs SET target = :target, target_error = :error
WHERE id = :id AND ended_ms IS NULL AND target = 'COMPLETED'
RETURNING *;

-- name: set_message
UPDATE jobs SET message = ? WHERE number = ?;

-- name: set_last_seq
UPDATE jobs SET last_seq = ? WHERE number = ?;

-- name: count_by_status
SELECT status, count(*) AS jobs FROM jobs WHERE owner = coalesce(:owner, owner) GROUP BY status;

-- name: mean_run_ms
SELECT avg(ended_ms - started_ms) AS mean_ms FROM jobs
WHERE ended_ms IS NOT NULL AND started_ms IS NOT NULL AND owner = coalesce(:owner, owner);

-- name: ended_before
SELECT number, id FROM jobs WHERE ended_ms < ? AND released = 1 ORDER BY ended_ms LIMIT ?;

-- name: delete_job
DELETE FROM jobs WHERE number = ?;

-- name: all_ids
SELECT id FROM jobs;
