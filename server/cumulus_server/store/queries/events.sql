-- name: insert_event
INSERT INTO events (place, type, body) VALUES (?, ?, ?);

-- name: events_after
SELECT place, type, body FROM events WHERE place > ? AND place < ? ORDER BY place LIMIT ?;

-- name: events_of_type_after
SELECT place, type, body FROM events WHERE place > ? AND place < ? AND type = ? ORDER BY place LIMIT ?;

-- name: events_of_type_before
SELECT place, type, body FROM events WHERE place > ? AND place < ? AND type = ? ORDER BY place DESC;

-- name: reports_after
SELECT place, type, body FROM events
WHERE place > ? AND place < ? AND type IN ('state', 'progress', 'resources')
ORDER BY place;

-- name: newest_event_of_type
SELECT place, type, body FROM events WHERE place > ? AND place < ? AND type = ? ORDER BY place DESC LIMIT 1;

-- name: delete_events
DELETE FROM events WHERE place > ? AND place < ?;
