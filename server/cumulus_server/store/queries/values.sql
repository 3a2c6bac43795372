-- name: put_value
INSERT INTO stored_values (job_id, name, attempt, bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (job_id, name) DO UPDATE SET attempt = excluded.attempt, bytes = excluded.bytes;

-- name: get_value
SELECT attempt FROM stored_values WHERE job_id = ? AND name = ?;

-- name: value_names
SELECT name FROM stored_values WHERE job_id = ? ORDER BY name;

-- name: value_bytes
SELECT coalesce(sum(bytes), 0) FROM stored_values WHERE job_id = ? AND name <> ?;

-- name: delete_values
DELETE FROM stored_values WHERE job_id = ?;

-- name: get_meta
SELECT value FROM meta WHERE key = ?;

-- name: set_meta
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
