-- name: load_unfinished
SELECT * FROM jobs WHERE ended_ms IS NULL OR released = 0 ORDER BY number;

-- name: load_holding
SELECT * FROM jobs
WHERE released = 0 AND (id, attempt) IN (SELECT job_id, attempt FROM leases)
ORDER BY number;

-- name: load_queued
SELECT * FROM jobs WHERE (ended_ms IS NULL OR released = 0) AND status = 'QUEUED' ORDER BY number;

-- name: begin_attempt
UPDATE jobs
SET attempt = attempt + 1,
    executor = :executor,
    worker = :worker,
    devices = :devices,
    enforced_by = :enforced_by,
    claim_hash = :claim_hash,
    session_hash = NULL,
    runner_through = 0,
    handle = :handle,
    partition = NULL,
    started_ms = NULL,
    attempt_ms = :now_ms,
    released = 0
WHERE id = :id AND status = 'QUEUED' AND target = 'COMPLETED' AND released = 1
RETURNING *;

-- name: save_handle
UPDATE jobs SET handle = :handle WHERE id = :id AND attempt = :attempt;

-- name: save_partition
UPDATE jobs SET partition = :partition, enforced_by = :enforced_by WHERE id = :id AND attempt = :attempt;

-- name: mark_released
UPDATE jobs SET released = 1, handle = NULL, partition = NULL WHERE id = :id AND attempt = :attempt
RETURNING *;

-- name: insert_lease
INSERT INTO leases (job_id, attempt, worker, device, tenths) VALUES (?, ?, ?, ?, ?);

-- name: delete_leases
DELETE FROM leases WHERE job_id = ? AND attempt = ?;

-- name: all_leases
SELECT job_id, attempt, worker, device, tenths FROM leases ORDER BY worker, device, job_id;
