"""Fleet data: what a company with vehicles, drivers and deliveries writes, bad rows included.

The same seed on the same tables gives the same rows. Changes come in transactions: inserts,
updates, deletes, rows that come back under an old key, changed keys; a bad row breaks a rule of
config/tables.yaml, such as a speed of 400.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

TABLES = ("vehicles", "drivers", "vehicle_telemetry", "deliveries", "alerts")
EPOCH = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
VEHICLES, DRIVERS = 15, 12
PATIENCE_SECONDS = 60.0
"""How long a lost server is waited for."""

MODELS = (
    ("Volvo", "FH16", "diesel"),
    ("Scania", "R450", "diesel"),
    ("Mercedes", "eActros", "electric"),
    ("Ford", "Transit", "petrol"),
    ("Toyota", "Proace", "hybrid"),
)
NAMES = ("Ada Berg", "Ben Cole", "Cleo Diaz", "Dan Eng", "Eva Fox", "Finn Gray", "Gil Hart")
STREETS = ("Harbour Road", "Mill Lane", "Station Street", "Oak Avenue", "Market Square")
ALERTS = ("Speeding", "Low_Fuel", "Harsh_Braking", "Engine_Heat", "Geofence")
VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"

Row = dict[str, Any]


@dataclass(frozen=True)
class FleetPlan:
    """How much to write: `rows` counts inserts, updates and deletes; `rate` is rows a second."""

    rows: int = 2_000
    rate: float = 0.0
    bad_share: float = 0.03
    seed: int = 1
    schema: str = "public"


@dataclass
class FleetCounts:
    """What was written, by table."""

    inserted: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    """Rows written on purpose so that a rule refuses them."""
    transactions: int = 0

    @property
    def rows(self) -> int:
        """Count all changes."""
        return self.inserted.total() + self.updated.total() + self.deleted.total()


class Fleet:
    """Writes fleet data into a source database until the plan is fulfilled."""

    def __init__(self, connect: Callable[[], Connection], plan: FleetPlan) -> None:
        self._connect = connect
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._counts = FleetCounts()
        self._live: dict[str, list[int]] = {}
        self._next: dict[str, int] = {}
        self._gone: dict[str, list[int]] = {table: [] for table in TABLES}
        self._refused: set[tuple[str, int]] = set()
        self._tick = 0

    def write(
        self,
        advance: Callable[[int, int], None] = lambda done, total: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> FleetCounts:
        """Write transactions; `advance` is told the rows done and wanted.

        A server that goes away is waited for; the transaction it interrupted is forgotten.
        """
        import psycopg2

        lost_at: float | None = None
        while True:
            try:
                with closing(self._connect()) as connection:
                    self._look(connection)
                    lost_at = None
                    self._write(connection, advance, is_stopped)
                    return self._counts
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                lost_at = lost_at or time.monotonic()
                if is_stopped() or time.monotonic() - lost_at > PATIENCE_SECONDS:
                    raise
                time.sleep(0.5)

    def _write(
        self,
        connection: Connection,
        advance: Callable[[int, int], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        began, before = time.monotonic(), self._counts.rows
        while self._counts.rows < self._plan.rows and not is_stopped():
            kept = deepcopy(self._counts)
            try:
                with connection, connection.cursor() as cursor:
                    self._transaction(cursor)
            except BaseException:
                self._counts = kept
                raise
            self._counts.transactions += 1
            advance(min(self._counts.rows, self._plan.rows), self._plan.rows)
            if self._plan.rate > 0:
                due = began + (self._counts.rows - before) / self._plan.rate
                ahead = due - time.monotonic()
                while ahead > 0 and not is_stopped():
                    time.sleep(min(ahead, 0.2))
                    ahead -= 0.2

    def _look(self, connection: Connection) -> None:
        """Learn which keys there are, so that a second run goes on after the first."""
        with connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"SELECT id FROM {self._name(table)} ORDER BY id")
                self._live[table] = [key for (key,) in cursor.fetchall()]
                self._next[table] = max(self._live[table], default=0) + 1
                self._gone[table] = [k for k in self._gone[table] if k not in self._live[table]]
        self._tick = sum(self._next.values())

    def _transaction(self, cursor: Cursor) -> None:
        if len(self._live["vehicles"]) < VEHICLES:
            self._insert_many(cursor, "vehicles", VEHICLES)
            self._insert_many(cursor, "drivers", DRIVERS)
            return
        left = self._plan.rows - self._counts.rows
        chance = self._random.random()
        if chance < 0.55:
            self._insert_many(cursor, "vehicle_telemetry", min(left, self._random.randint(2, 12)))
        elif chance < 0.65:
            self._insert_many(cursor, "deliveries", min(left, self._random.randint(1, 3)))
        elif chance < 0.72:
            self._insert_many(cursor, "alerts", min(left, self._random.randint(1, 2)))
        elif chance < 0.88:
            for _ in range(min(left, self._random.randint(1, 4))):
                self._update(cursor, self._random.choice(TABLES))
        elif chance < 0.94:
            self._delete(cursor, self._random.choice(("vehicle_telemetry", "deliveries", "alerts")))
        elif chance < 0.98:
            self._come_back(cursor, self._random.choice(("vehicle_telemetry", "deliveries")))
        else:
            self._change_key(cursor, "alerts")

    def _insert_many(self, cursor: Cursor, table: str, count: int) -> None:
        for _ in range(count):
            key = self._next[table]
            self._next[table] += 1
            self._insert(cursor, table, key)

    def _insert(self, cursor: Cursor, table: str, key: int) -> None:
        row = self._spoilt(table, key, NEW_ROWS[table](self, key))
        columns = ", ".join(f'"{column}"' for column in row)
        marks = ", ".join(["%s"] * len(row))
        cursor.execute(
            f"INSERT INTO {self._name(table)} ({columns}) VALUES ({marks})", list(row.values())
        )
        self._live[table].append(key)
        self._counts.inserted[table] += 1

    def _update(self, cursor: Cursor, table: str) -> None:
        if not self._live[table]:
            return
        key = self._random.choice(self._live[table])
        row = self._spoilt(table, key, NEW_VALUES[table](self))
        changes = ", ".join(f'"{column}" = %s' for column in row)
        cursor.execute(
            f"UPDATE {self._name(table)} SET {changes} WHERE id = %s", [*row.values(), key]
        )
        self._counts.updated[table] += 1

    def _delete(self, cursor: Cursor, table: str) -> None:
        if len(self._live[table]) < 10:
            return
        key = self._live[table].pop(self._random.randrange(len(self._live[table])))
        cursor.execute(f"DELETE FROM {self._name(table)} WHERE id = %s", (key,))
        self._gone[table].append(key)
        self._counts.deleted[table] += 1

    def _come_back(self, cursor: Cursor, table: str) -> None:
        if self._gone[table]:
            self._insert(cursor, table, self._gone[table].pop())

    def _change_key(self, cursor: Cursor, table: str) -> None:
        movable = [key for key in self._live[table] if (table, key) not in self._refused]
        if not movable:
            return
        old, new = self._random.choice(movable), self._next[table]
        self._next[table] += 1
        cursor.execute(f"UPDATE {self._name(table)} SET id = %s WHERE id = %s", (new, old))
        self._live[table].remove(old)
        self._live[table].append(new)
        self._counts.updated[table] += 1

    def _spoilt(self, table: str, key: int, row: Row) -> Row:
        """Break a rule on purpose now and then."""
        if self._random.random() >= self._plan.bad_share:
            return row
        self._refused.add((table, key))
        self._counts.bad[table] += 1
        return {**row, **self._random.choice(BAD_VALUES[table])}

    def _name(self, table: str) -> str:
        return f'"{self._plan.schema}"."{table}"'

    def now(self) -> datetime:
        """Give the time in the fleet's world: it goes on with every row."""
        self._tick += 1
        return EPOCH + timedelta(seconds=self._tick * 7, microseconds=self._tick % 3 * 250_000)

    def pick(self, values: tuple[Any, ...]) -> Any:
        """Choose one of some values."""
        return self._random.choice(values)

    def between(self, low: float, high: float, digits: int) -> float:
        """Choose a number with so many decimals."""
        return round(self._random.uniform(low, high), digits)

    def one_of(self, table: str) -> int | None:
        """Choose a key of another table."""
        return self._random.choice(self._live[table]) if self._live[table] else None


def _vehicle(fleet: Fleet, key: int) -> Row:
    make, model, fuel = fleet.pick(MODELS)
    made = fleet.now()
    return {
        "id": key,
        "vin": "".join(fleet.pick(tuple(VIN_LETTERS)) for _ in range(17)),
        "license_plate": f" fl-{1000 + key} ",
        "make": make,
        "model": model,
        "year": int(fleet.between(2012, 2026, 0)),
        "fuel_type": fuel,
        "status": "active",
        "created_at": made,
        "updated_at": made,
    }


def _driver(fleet: Fleet, key: int) -> Row:
    made = fleet.now()
    return {
        "id": key,
        "employee_id": f"EMP-{1000 + key}",
        "name": f"{fleet.pick(NAMES)} ",
        "license_number": f"DL{100000 + key * 37}",
        "phone": f"555-{100 + key:04d}",
        "status": "active",
        "safety_score": fleet.between(60, 100, 2),
        "created_at": made,
        "updated_at": made,
    }


def _telemetry(fleet: Fleet, key: int) -> Row:
    seen = fleet.now()
    return {
        "id": key,
        "vehicle_id": fleet.one_of("vehicles"),
        "recorded_at": seen,
        "latitude": fleet.between(52.2, 52.7, 7),
        "longitude": fleet.between(13.0, 13.8, 7),
        "speed_kmh": fleet.between(0, 130, 2),
        "fuel_level_pct": fleet.between(5, 100, 1),
        "engine_temp_c": fleet.between(60, 110, 1),
        "odometer_km": 10_000 + key * 3,
        "engine_status": fleet.pick(("running", "running", "idle", "off")),
        "harsh_braking": fleet.pick((False, False, False, True)),
        "harsh_acceleration": fleet.pick((False, False, True)),
        "created_at": seen,
    }


def _delivery(fleet: Fleet, key: int) -> Row:
    made = fleet.now()
    return {
        "id": key,
        "vehicle_id": fleet.one_of("vehicles"),
        "driver_id": fleet.one_of("drivers"),
        "status": "scheduled",
        "pickup_address": f"{fleet.pick(STREETS)} {key % 90 + 1}",
        "delivery_address": f"{fleet.pick(STREETS)} {key % 70 + 1}",
        "scheduled_time": made + timedelta(hours=4),
        "actual_pickup_time": None,
        "actual_delivery_time": None,
        "customer_name": f" {fleet.pick(NAMES)}",
        "customer_phone": f"555-{key % 10_000:04d}",
        "notes": fleet.pick(
            (None, "ring twice", "leave at the door ", "“fragile” – handle with care")
        ),
        "created_at": made,
        "updated_at": made,
    }


def _alert(fleet: Fleet, key: int) -> Row:
    return {
        "id": key,
        "vehicle_id": fleet.one_of("vehicles"),
        "driver_id": fleet.one_of("drivers"),
        "alert_type": fleet.pick(ALERTS),
        "severity": fleet.pick(("low", "medium", "high", "critical")),
        "message": f" alert {key}: look at the vehicle ",
        "latitude": fleet.between(52.2, 52.7, 7),
        "longitude": fleet.between(13.0, 13.8, 7),
        "acknowledged": False,
        "acknowledged_at": None,
        "created_at": fleet.now(),
    }


NEW_ROWS: Mapping[str, Callable[[Fleet, int], Row]] = {
    "vehicles": _vehicle,
    "drivers": _driver,
    "vehicle_telemetry": _telemetry,
    "deliveries": _delivery,
    "alerts": _alert,
}

NEW_VALUES: Mapping[str, Callable[[Fleet], Row]] = {
    "vehicles": lambda fleet: {
        "status": fleet.pick(("active", "maintenance", "retired")),
        "updated_at": fleet.now(),
    },
    "drivers": lambda fleet: {
        "safety_score": fleet.between(50, 100, 2),
        "status": fleet.pick(("active", "on_leave", "inactive")),
        "updated_at": fleet.now(),
    },
    "vehicle_telemetry": lambda fleet: {
        "speed_kmh": fleet.between(0, 130, 2),
        "fuel_level_pct": fleet.between(5, 100, 1),
    },
    "deliveries": lambda fleet: {
        "status": fleet.pick(("picked_up", "in_transit", "delivered", "cancelled")),
        "actual_pickup_time": fleet.now(),
        "updated_at": fleet.now(),
    },
    "alerts": lambda fleet: {"acknowledged": True, "acknowledged_at": fleet.now()},
}

BAD_VALUES: Mapping[str, tuple[Row, ...]] = {
    "vehicles": ({"year": 1899}, {"fuel_type": "steam"}, {"vin": "TOO-SHORT"}),
    "drivers": ({"safety_score": 150}, {"employee_id": "unknown"}, {"status": "asleep"}),
    "vehicle_telemetry": (
        {"speed_kmh": 400.0},
        {"speed_kmh": 400.0},
        {"latitude": 95.5},
        {"fuel_level_pct": 130.0, "engine_status": "melting"},
        {"vehicle_id": None},
    ),
    "deliveries": ({"status": "lost"}, {"delivery_address": None}),
    "alerts": ({"severity": "urgent"}, {"alert_type": None}, {"latitude": 190.0}),
}
"""Values that config/tables.yaml refuses."""
