"""Fleet data: what a company with vehicles, drivers and deliveries writes, bad rows included.

The same seed on the same tables gives the same rows. Changes come in transactions: inserts,
updates, deletes, rows that come back under an old key, changed keys; a bad row breaks a rule of
config/tables.yaml, such as a speed of 400.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cdcctl.shipped import shared_code

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


@dataclass(frozen=True)
class Change:
    """One row to insert, to update or to delete; the key is that of a row that is there."""

    operation: str
    table: str
    key: int | None = None
    values: Row = field(default_factory=dict)


class Fleet:
    """Makes fleet data, transaction by transaction, after the keys that a source has."""

    def __init__(self, plan: FleetPlan) -> None:
        self.counts = FleetCounts()
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._live: dict[str, list[int]] = {}
        self._next: dict[str, int] = {}
        self._gone: dict[str, list[int]] = {table: [] for table in TABLES}
        self._refused: set[tuple[str, int]] = set()
        self._tick = 0

    @property
    def is_done(self) -> bool:
        """Tell whether the plan is fulfilled."""
        return self.counts.rows >= self._plan.rows

    def learn(self, keys: Mapping[str, list[int]]) -> None:
        """Take over which keys there are, so that a second run goes on after the first."""
        for table in TABLES:
            self._live[table] = list(keys[table])
            self._next[table] = max(self._live[table], default=0) + 1
            self._gone[table] = [k for k in self._gone[table] if k not in self._live[table]]
        self._tick = sum(self._next.values())

    def transaction(self) -> list[Change]:
        """Make the next transaction; it counts as written."""
        changes = list(self._changes())
        self.counts.transactions += 1
        return changes

    def _changes(self) -> Iterator[Change]:
        if len(self._live["vehicles"]) < VEHICLES:
            yield from self._insert_many("vehicles", VEHICLES)
            yield from self._insert_many("drivers", DRIVERS)
            return
        left = self._plan.rows - self.counts.rows
        chance = self._random.random()
        if chance < 0.55:
            yield from self._insert_many(
                "vehicle_telemetry", min(left, self._random.randint(2, 12))
            )
        elif chance < 0.65:
            yield from self._insert_many("deliveries", min(left, self._random.randint(1, 3)))
        elif chance < 0.72:
            yield from self._insert_many("alerts", min(left, self._random.randint(1, 2)))
        elif chance < 0.88:
            for _ in range(min(left, self._random.randint(1, 4))):
                yield from self._update(self._random.choice(TABLES))
        elif chance < 0.94:
            yield from self._delete(
                self._random.choice(("vehicle_telemetry", "deliveries", "alerts"))
            )
        elif chance < 0.98:
            yield from self._come_back(self._random.choice(("vehicle_telemetry", "deliveries")))
        else:
            yield from self._change_key("alerts")

    def _insert_many(self, table: str, count: int) -> Iterator[Change]:
        for _ in range(count):
            key = self._next[table]
            self._next[table] += 1
            yield self._insert(table, key)

    def _insert(self, table: str, key: int) -> Change:
        row = self._spoilt(table, key, NEW_ROWS[table](self, key))
        self._live[table].append(key)
        self.counts.inserted[table] += 1
        return Change("insert", table, values=row)

    def _update(self, table: str) -> Iterator[Change]:
        if not self._live[table]:
            return
        key = self._random.choice(self._live[table])
        row = self._spoilt(table, key, NEW_VALUES[table](self))
        self.counts.updated[table] += 1
        yield Change("update", table, key, row)

    def _delete(self, table: str) -> Iterator[Change]:
        if len(self._live[table]) < 10:
            return
        key = self._live[table].pop(self._random.randrange(len(self._live[table])))
        self._gone[table].append(key)
        self.counts.deleted[table] += 1
        yield Change("delete", table, key)

    def _come_back(self, table: str) -> Iterator[Change]:
        if self._gone[table]:
            yield self._insert(table, self._gone[table].pop())

    def _change_key(self, table: str) -> Iterator[Change]:
        movable = [key for key in self._live[table] if (table, key) not in self._refused]
        if not movable:
            return
        old, new = self._random.choice(movable), self._next[table]
        self._next[table] += 1
        self._live[table].remove(old)
        self._live[table].append(new)
        self.counts.updated[table] += 1
        yield Change("update", table, old, {"id": new})

    def _spoilt(self, table: str, key: int, row: Row) -> Row:
        """Break a rule on purpose now and then."""
        if self._random.random() >= self._plan.bad_share:
            return row
        self._refused.add((table, key))
        self.counts.bad[table] += 1
        return {**row, **self._random.choice(BAD_VALUES[table])}

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


def write_fleet(
    connect: Callable[[], Connection],
    plan: FleetPlan,
    advance: Callable[[int, int], None] = lambda done, total: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FleetCounts:
    """Write fleet data into a source database; `advance` is told the rows done and wanted.

    A server that goes away is waited for; the transaction it interrupted is forgotten.
    """
    import psycopg2

    fleet = Fleet(plan)
    lost_at: float | None = None
    while True:
        try:
            with closing(connect()) as connection:
                with connection, connection.cursor() as cursor:
                    fleet.learn(_keys(cursor, plan.schema))
                lost_at = None
                _write(connection, fleet, plan, advance, is_stopped)
                return fleet.counts
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            lost_at = lost_at or time.monotonic()
            if is_stopped() or time.monotonic() - lost_at > PATIENCE_SECONDS:
                raise
            time.sleep(0.5)


def _write(
    connection: Connection,
    fleet: Fleet,
    plan: FleetPlan,
    advance: Callable[[int, int], None],
    is_stopped: Callable[[], bool],
) -> None:
    statement = shared_code("source_change")["statement"]
    began, before = time.monotonic(), fleet.counts.rows
    while not (fleet.is_done or is_stopped()):
        kept = deepcopy(fleet.counts)
        try:
            with connection, connection.cursor() as cursor:
                for change in fleet.transaction():
                    cursor.execute(*statement(plan.schema, vars(change)))
        except BaseException:
            fleet.counts = kept
            raise
        advance(min(fleet.counts.rows, plan.rows), plan.rows)
        if plan.rate > 0:
            due = began + (fleet.counts.rows - before) / plan.rate
            ahead = due - time.monotonic()
            while ahead > 0 and not is_stopped():
                time.sleep(min(ahead, 0.2))
                ahead -= 0.2


def _keys(cursor: Cursor, schema: str) -> dict[str, list[int]]:
    keys = {}
    for table in TABLES:
        cursor.execute(f'SELECT id FROM "{schema}"."{table}" ORDER BY id')
        keys[table] = [key for (key,) in cursor.fetchall()]
    return keys
