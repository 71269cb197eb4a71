-- Questions about the fleet, in Athena's dialect. `cdcctl query NAME` runs one on Athena, and with
-- --local or --lake on a lake of this machine. A query begins with its name and what it answers.
-- Tables: each source table (history), <table>_quarantine, dq_metrics, batches.

-- name: fleet_by_status
-- about: How many vehicles are in which state, and how old they are on average.
SELECT status, count(*) AS vehicles, round(avg(2026 - year), 1) AS mean_age_years
FROM vehicles
WHERE _is_current
GROUP BY status
ORDER BY vehicles DESC, status;

-- name: open_deliveries
-- about: Deliveries under way with vehicle and driver, the one due first on top.
SELECT d.id, d.status, d.scheduled_time, v.license_plate, r.name AS driver
FROM deliveries d
LEFT JOIN vehicles v ON v.id = d.vehicle_id AND v._is_current
LEFT JOIN drivers r ON r.id = d.driver_id AND r._is_current
WHERE d._is_current AND d.actual_delivery_time IS NULL
ORDER BY d.scheduled_time, d.id
LIMIT 50;

-- name: late_deliveries
-- about: How often each driver delivers after the scheduled time.
SELECT
    r.id AS driver_id,
    r.name AS driver,
    count(*) AS delivered,
    sum(CASE WHEN d.actual_delivery_time > d.scheduled_time THEN 1 ELSE 0 END) AS late
FROM deliveries d
JOIN drivers r ON r.id = d.driver_id AND r._is_current
WHERE d._is_current AND d.actual_delivery_time IS NOT NULL
GROUP BY r.id, r.name
ORDER BY late DESC, r.id
LIMIT 50;

-- name: harsh_driving
-- about: Vehicles with the largest share of harsh braking or acceleration.
SELECT
    vehicle_id,
    count(*) AS readings,
    round(
        100.0 * sum(CASE WHEN harsh_braking OR harsh_acceleration THEN 1 ELSE 0 END) / count(*), 1
    ) AS harsh_pct
FROM vehicle_telemetry
WHERE _is_current
GROUP BY vehicle_id
ORDER BY harsh_pct DESC, vehicle_id
LIMIT 20;

-- name: low_fuel
-- about: Vehicles whose latest reading shows less than 15 % fuel.
SELECT t.vehicle_id, v.license_plate, t.fuel_level_pct, t.recorded_at
FROM vehicle_telemetry t
JOIN (
    SELECT vehicle_id, max(recorded_at) AS latest
    FROM vehicle_telemetry
    WHERE _is_current
    GROUP BY vehicle_id
) newest ON newest.vehicle_id = t.vehicle_id AND newest.latest = t.recorded_at
LEFT JOIN vehicles v ON v.id = t.vehicle_id AND v._is_current
WHERE t._is_current AND t.fuel_level_pct < 15
ORDER BY t.fuel_level_pct, t.vehicle_id;

-- name: open_alerts
-- about: Alerts that nobody has acknowledged, by severity and type.
SELECT severity, alert_type, count(*) AS alerts, min(created_at) AS oldest
FROM alerts
WHERE _is_current AND acknowledged_at IS NULL
GROUP BY severity, alert_type
ORDER BY alerts DESC, severity, alert_type;

-- name: vehicle_states
-- about: How long vehicles stayed in each state before they left it, from their history.
SELECT
    status,
    count(*) AS stays,
    round(avg(date_diff('minute', _effective_from, _effective_to)), 1) AS mean_minutes
FROM vehicles
WHERE _effective_to IS NOT NULL
GROUP BY status
ORDER BY stays DESC, status;

-- name: most_changed_rows
-- about: Vehicles with the most versions: rows that something keeps rewriting.
SELECT id, count(*) AS versions, min(_effective_from) AS since, max(_effective_from) AS latest
FROM vehicles
GROUP BY id
ORDER BY versions DESC, id
LIMIT 20;

-- name: deleted_vehicles
-- about: Vehicles that exist no more, and when they were deleted.
SELECT id, max(_effective_to) AS deleted_at, count(*) AS versions
FROM vehicles
GROUP BY id
HAVING sum(CASE WHEN _is_current THEN 1 ELSE 0 END) = 0
ORDER BY deleted_at DESC, id
LIMIT 50;

-- name: quarantine_by_rule
-- about: Refused telemetry that is still open, by rule.
SELECT _failed_rule AS rule, count(*) AS refused, max(_quarantined_at) AS latest
FROM vehicle_telemetry_quarantine
WHERE _status IS NULL OR _status = 'open'
GROUP BY _failed_rule
ORDER BY refused DESC, rule;

-- name: breached_checks
-- about: Data quality checks below their threshold, newest first.
SELECT timestamp, table_name, metric_name, column_name, metric_value, threshold, severity
FROM dq_metrics
WHERE NOT passed
ORDER BY timestamp DESC, table_name, metric_name
LIMIT 50;

-- name: outcomes_by_table
-- about: What became of every message so far, by table.
SELECT
    table_name,
    sum(consumed) AS consumed,
    sum(applied) AS applied,
    sum(unchanged) AS unchanged,
    sum(duplicate) AS duplicate,
    sum(superseded) AS superseded,
    sum(quarantined) AS quarantined
FROM batches
GROUP BY table_name
ORDER BY table_name;

-- name: freshness
-- about: When each table's newest batch was processed.
SELECT table_name, max(processed_at) AS newest_batch, count(*) AS batches
FROM batches
GROUP BY table_name
ORDER BY newest_batch DESC, table_name;
