"""Steps 5 and 6, versions and order: the history of a key is a fold of its entries.

Everything here is one shuffle by key and windows on it in one order, so that the same code serves a
key whose whole past is its current row and a key that is folded again from the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from glue_job.contract.model import Table
from glue_job.pipeline.built import built_once
from glue_job.pipeline.entries import DELETE, LOAD, MOVED_IN, MOVED_OUT, SEED, UPSERT
from glue_job.pipeline.report import ISO

_ENDS = (DELETE, MOVED_OUT)
_EVENT = ("time", "lsn", "record_id", "partition", "offset", "topic_id", "leaves")


@dataclass(frozen=True)
class Shape:
    """What the entries of a fold may hold: what they cannot hold costs no window."""

    in_order: bool = False
    """The past of a key is at most one seed, older than every new entry."""
    anchored: bool = True
    """Loads and changes meet, so that emissions place the loads."""
    sparse: bool = True
    """Some update leaves fields out."""


def place(entries: DataFrame, table: Table, shape: Shape) -> DataFrame:
    """Order the entries of each key and find their effective times.

    Args:
        entries: `entry_columns` and `_is_new` (whether the entry belongs to this batch).
        table: the table's entry of tables.yaml.
        shape: what the entries may hold.

    Returns:
        The entries and `_place` (a struct that orders the events of a key; equal for deliveries of
        one event), `_effective` (timestamp), `_is_copy` (another delivery gives the event its
        values), `_known` (the event had been delivered before this batch), `_shown` (the entry is
        ever visible); unless the shape rules out that a load is hidden, `_next_change` and
        `_next_old_change` (when the next change of the key takes effect, and the next that was
        known before this batch).
    """
    located = (_by_emission if shape.anchored else _by_own_time)(entries, table)
    return located.select("*", _is_copy(table)).select("*", *_placing(table, shape))


@built_once
def _is_copy(table: Table) -> Column:
    following = F.lead("_place").over(_by_place(table))
    return following.eqNullSafe(F.col("_place")).alias("_is_copy")


@built_once
def _placing(table: Table, shape: Shape) -> list[Column]:
    own, effective = ~F.col("_is_copy"), F.col("_effective")
    if shape.in_order and not shape.anchored:
        # Effective times rise with the order, and what is old comes first.
        overtaken = F.lead("_effective").over(_by_place(table)) <= effective
        return [
            F.lit(False).alias("_known"),
            (own & ~F.coalesce(overtaken, F.lit(False))).alias("_shown"),
        ]
    key = Window.partitionBy(*table.primary_key)
    deliveries = Window.partitionBy(*table.primary_key, "_place")
    later = _earlier(key.orderBy(F.col("_place").desc()))
    is_old = F.max(~F.col("_is_new")).over(deliveries)
    overtaken = F.min(F.when(own, effective)).over(later) <= effective
    is_change = F.col("_kind") != LOAD
    return [
        is_old.alias("_known"),
        (own & ~F.coalesce(overtaken, F.lit(False))).alias("_shown"),
        F.min(F.when(is_change, effective)).over(later).alias("_next_change"),
        F.min(F.when(is_change & ~F.col("_is_new"), effective))
        .over(later)
        .alias("_next_old_change"),
    ]


@built_once
def _own_event() -> Column:
    """Give what two deliveries of one event share, beside the key, in the order of events."""
    by_coordinates = (F.col("_kind") != LOAD) & ~F.col("_sequenced")
    return F.struct(
        F.coalesce("_time", "_emitted_at").alias("time"),
        F.col("_lsn").alias("lsn"),
        F.col("_record_id").alias("record_id"),
        *[
            F.when(by_coordinates, F.col(f"_{name}")).alias(name)
            for name in ("partition", "offset", "topic_id")
        ],
        # A key change is another event than a change of its old key, even at the same place.
        (F.col("_kind") == MOVED_OUT).alias("leaves"),
    )


def _by_own_time(entries: DataFrame, table: Table) -> DataFrame:
    """Place every entry by its own time: right where no load meets a change."""
    located = entries.select("*", _own_event().alias("_place"))
    return located.select("*", F.col("_place")["time"].alias("_effective"))


def _by_emission(entries: DataFrame, table: Table) -> DataFrame:
    """Place a load after the last change, in source order, that DMS had emitted when it read."""
    is_load = F.col("_kind") == LOAD
    events = entries.select("*", _own_event().alias("_event"))
    deliveries = Window.partitionBy(*table.primary_key, "_event", is_load)
    emitted = events.select("*", F.min("_emitted_at").over(deliveries).alias("_emission"))
    emitted_so_far = _so_far(
        Window.partitionBy(*table.primary_key).orderBy(
            F.col("_emission").asc_nulls_first(), is_load.cast("int")
        )
    )
    changes = F.max(F.when(~is_load, F.col("_event")))
    anchored = emitted.select("*", changes.over(emitted_so_far).alias("_anchor"))
    anchor = F.when(is_load, F.col("_anchor")).otherwise(F.col("_event"))
    position = F.struct(
        anchor.isNotNull().alias("after_a_change"),
        *[anchor[name].alias(name) for name in _EVENT],
        is_load.alias("is_load"),
        F.when(is_load, F.col("_emission")).alias("loaded_at"),
    )
    loaded = F.greatest(F.col("_emission"), anchor["time"])
    effective = F.when(is_load, loaded).otherwise(F.col("_time"))
    return anchored.select(
        *entries.columns, position.alias("_place"), effective.alias("_effective")
    )


def _by_place(table: Table) -> WindowSpec:
    """Give the entries of a key in order; of an event's deliveries the one that counts is last."""
    return Window.partitionBy(*table.primary_key).orderBy(
        "_place",
        "_release",
        F.col("_partition").desc(),
        F.col("_offset").desc(),
        F.col("_topic_id").desc(),
    )


def _so_far(order: WindowSpec) -> WindowSpec:
    return order.rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _earlier(order: WindowSpec) -> WindowSpec:
    return order.rowsBetween(Window.unboundedPreceding, -1)


def state_name(name: str) -> str:
    """Name the column that holds the value of a data column as it stands at an entry."""
    return f"_state_{name}"


def carry(placed: DataFrame, table: Table, shape: Shape) -> DataFrame:
    """Give every entry the values that its key has there, absent fields carried.

    Args:
        placed: the result of `place`.
        table: the table's entry of tables.yaml.
        shape: what the entries may hold.

    Returns:
        `placed` with a `state_name` column a data column outside the key, and `_unknown` (names
        of the data columns that no event has given yet: added to the config later).
    """
    if not shape.sparse:
        return placed.select("*", *_said_in_full(table))
    names = value_columns(table)
    own = ~F.col("_is_copy")
    by_place = _by_place(table)
    ends = F.col("_kind").isin(*_ENDS)
    ended = F.sum((ends & own).cast("int")).over(_so_far(by_place))
    was_ended = F.last(F.when(own, ends), ignorenulls=True).over(_earlier(by_place))
    lives = placed.select(
        "*", ended.alias("_life"), F.coalesce(was_ended, F.lit(True)).alias("_begins")
    )
    said = lives.select(
        *placed.columns,
        "_life",
        *[
            F.last(F.when(own, _said(name)), ignorenulls=True)
            .over(_so_far(by_place))
            .alias(state_name(name))
            for name in names
        ],
    )
    of_this_life = {
        name: F.coalesce(F.col(state_name(name))["life"] == F.col("_life"), F.lit(False))
        for name in names
    }
    unsaid = [F.when(~of_this_life[name], F.lit(name)) for name in names]
    return said.select(
        *placed.columns,
        *[
            F.when(of_this_life[name], F.col(state_name(name))["v"]).alias(state_name(name))
            for name in names
        ],
        F.filter(F.array(*unsaid).cast("array<string>"), lambda name: name.isNotNull()).alias(
            "_unknown"
        ),
    )


@built_once
def _said_in_full(table: Table) -> list[Column]:
    names = value_columns(table)
    every = F.array(*map(F.lit, names)).cast("array<string>")
    missing = F.array_except(every, F.col("_present"))
    return [
        *[F.col(name).alias(state_name(name)) for name in names],
        F.when(F.col("_kind").isin(*_ENDS), F.array()).otherwise(missing).alias("_unknown"),
    ]


def _said(name: str) -> Column:
    """Tell what an entry itself says of a column; NULL when it says nothing."""
    value = F.struct(F.col("_life").alias("life"), F.col(name).alias("v"))
    given = F.array_contains("_present", name)
    # With nothing before it, a field that an update leaves out is null; so it is for a new key,
    # whose own past does not count.
    missing = F.array_contains("_absent", name)
    fresh = F.col("_begins") | (F.col("_kind") == MOVED_IN)
    changes = F.col("_kind").isin(UPSERT, LOAD, MOVED_IN, SEED)
    return F.when(changes & (given | (missing & fresh)), value)


def value_columns(table: Table) -> tuple[str, ...]:
    """Name the data columns outside the key."""
    return tuple(name for name in table.column_names if name not in table.primary_key)


def fold(
    placed: DataFrame, table: Table, shape: Shape, existing: DataFrame | None = None
) -> DataFrame:
    """Find out what each entry changed.

    Args:
        placed: the result of `place`.
        table: the table's entry of tables.yaml.
        shape: what the entries may hold.
        existing: the rows of history of the same keys, where a new entry may stand among old ones.

    Returns:
        `placed` with the columns of `carry` and `_alive` (the key exists after the entry),
        `_changes` (a version opens or ends there), `_refreshes` (the row is another, though no
        version opens), `_outcome` (for new entries).
    """
    carried = carry(placed, table, shape)
    compared = carried.select("*", *_before_and_after(table))
    changes = F.col("_shown") & _differs("_before", table)
    refreshes = ~F.col("_after").eqNullSafe(F.col("_before"))
    matters = changes
    if existing is not None:
        compared = _with_what_stood(compared, existing, table)
        stood = F.col("_stood")
        # A version began or ended there before, or does so now: the entry has changed it when what
        # stands from there on is another state.
        moved = F.when(changes & stood.isNotNull(), _differs("_stood", table)).otherwise(
            changes | stood.isNotNull()
        )
        hides = (F.col("_kind") != LOAD) & (F.col("_hidden_until") > F.col("_effective"))
        matters = moved | F.coalesce(hides, F.lit(False))
    outcome = _outcome(F.col("_is_copy") | F.col("_known"), F.col("_shown"), matters)
    return compared.select(
        *carried.columns,
        "_alive",
        changes.alias("_changes"),
        (F.col("_shown") & refreshes).alias("_refreshes"),
        F.when(F.col("_is_new"), outcome).alias("_outcome"),
    )


@built_once
def _before_and_after(table: Table) -> list[Column]:
    alive = ~F.col("_kind").isin(*_ENDS)
    state = _state(table, alive, state_name)
    shown = F.last(F.when(F.col("_shown"), state), ignorenulls=True)
    before = shown.over(_earlier(_by_place(table)))
    return [alive.alias("_alive"), state.alias("_after"), before.alias("_before")]


def _state(table: Table, alive: Column, named: Callable[[str], str]) -> Column:
    values = [F.col(named(name)).alias(name) for name in value_columns(table)]
    return F.struct(alive.alias("alive"), "_unknown", *values)


def _with_what_stood(compared: DataFrame, existing: DataFrame, table: Table) -> DataFrame:
    """Add what history has had at each entry's time.

    Returns:
        The entries with `_stood` (the state from that time on, where a version began or ended) and
        `_hidden_until` (of a change: the latest time at which a load that it hides had a version).
    """
    key = list(table.primary_key)
    begins = existing.select(
        *key,
        F.col("_effective_from").alias("_effective"),
        _state(table, F.lit(True), lambda name: name).alias("_stood"),
    )
    ends = existing.filter(F.col("_effective_to").isNotNull()).select(
        *key,
        F.col("_effective_to").alias("_effective"),
        _state(table, F.lit(False), lambda name: name).alias("_stood"),
    )
    # Where one version ends and the next begins, the next is what stands.
    boundaries = (
        begins.unionByName(ends)
        .groupBy(*key, "_effective")
        .agg(F.max_by("_stood", F.col("_stood")["alive"]).alias("_stood"))
    )
    joined = compared.join(boundaries, [*key, "_effective"], "left").select(
        *compared.columns, "_stood"
    )
    hidden = (
        (F.col("_kind") == LOAD)
        & ~F.col("_is_new")
        & ~F.col("_is_copy")
        & ~F.col("_shown")
        & F.col("_stood").isNotNull()
        & (F.col("_next_change") <= F.col("_effective"))
        & ~F.coalesce(F.col("_next_old_change") <= F.col("_effective"), F.lit(False))
    )
    hidden_at = F.when(hidden, F.col("_next_change")).otherwise(F.col("_effective"))
    together = Window.partitionBy(*key, "_meets")
    return joined.withColumn("_meets", hidden_at).select(
        "*", F.max(F.when(hidden, F.col("_effective"))).over(together).alias("_hidden_until")
    )


def _outcome(is_repeated: Column, shown: Column, matters: Column) -> Column:
    """Tell what becomes of an entry."""
    return (
        F.when(is_repeated, "duplicate")
        .when(~shown, "superseded")
        .when(matters, "applied")
        .otherwise("unchanged")
    )


@built_once
def _differs(other: str, table: Table) -> Column:
    """Tell whether the state after an entry is another than the one in a column."""
    tracked = [name for name in value_columns(table) if name not in table.ignore_columns]
    before, after = F.col(other), F.col("_after")
    was_alive = F.coalesce(before["alive"], F.lit(False))
    # What was unknown is filled in, not changed.
    all_known = (F.size(before["_unknown"]) == 0) & (F.size(after["_unknown"]) == 0)
    values_differ = F.lit(False)
    for name in tracked:
        both_known = ~F.array_contains(before["_unknown"], name) & ~F.array_contains(
            after["_unknown"], name
        )
        same = before[name].eqNullSafe(after[name])
        values_differ = values_differ | (~same & (all_known | both_known))
    return (was_alive != after["alive"]) | (was_alive & after["alive"] & values_differ)


def versions(folded: DataFrame, table: Table) -> DataFrame:
    """Give the rows that history must hold for the keys of the fold.

    Args:
        folded: the result of `fold`.
        table: the table's entry of tables.yaml.

    Returns:
        The data columns, `_effective_from`, `_effective_to` (NULL for the current row),
        `_is_current`, `_unknown`; `_is_held` (the version began with a seed: history has a row for
        it) and `_is_refreshed` (an entry since then made that row another one).
    """
    runs = folded.filter("_shown").select("*", *_runs(table))
    return runs.filter(F.col("_alive") & F.col("_run_ends")).select(*_version_columns(table))


@built_once
def _runs(table: Table) -> list[Column]:
    """Give what the entries from one change to the next have in common."""
    in_order = Window.partitionBy(*table.primary_key).orderBy("_place")
    so_far = _so_far(in_order)
    begun = F.when(
        F.col("_changes"),
        F.struct(F.col("_effective").alias("at"), (F.col("_kind") == SEED).alias("held")),
    )
    refreshed = F.max(F.col("_refreshes") & (F.col("_kind") != SEED))
    return [
        F.last(begun, ignorenulls=True).over(so_far).alias("_begun"),
        refreshed.over(so_far).alias("_is_refreshed"),
        F.lead("_effective").over(in_order).alias("_effective_to"),
        F.coalesce(F.lead("_changes").over(in_order), F.lit(True)).alias("_run_ends"),
    ]


@built_once
def _version_columns(table: Table) -> list[Column]:
    return [
        *[
            F.col(name if name in table.primary_key else state_name(name)).alias(name)
            for name in table.column_names
        ],
        F.col("_begun")["at"].alias("_effective_from"),
        F.col("_effective_to"),
        F.col("_effective_to").isNull().alias("_is_current"),
        F.col("_unknown"),
        F.col("_begun")["held"].alias("_is_held"),
        F.col("_is_refreshed"),
    ]


def fill_moves(entries: DataFrame, table: Table) -> DataFrame:
    """Give the fields that a key change leaves out the values of the old key at that position.

    Args:
        entries: `entry_columns` and `_is_new`; the old key's entries must be among them.
        table: the table's entry of tables.yaml.

    Returns:
        The entries, with values filled in where a `moved_in` entry has absent fields. A chain of
        such changes needs one call a link.
    """
    event = ["_topic_id", "_partition", "_offset"]
    names = value_columns(table)
    shape = Shape()
    left = _left_behind(carry(place(entries, table, shape), table, shape), table)
    states = F.struct(*[state_name(name) for name in names])
    joined = entries.join(left.select(*event, states.alias("_left")), event, "left")
    sparse = (F.col("_kind") == MOVED_IN) & (F.size("_absent") > 0)

    def filled(name: str) -> Column:
        if name not in names:
            return F.col(name)
        of_old_key = F.col("_left")[state_name(name)]
        missing = sparse & F.array_contains("_absent", name)
        return F.when(missing, of_old_key).otherwise(F.col(name)).alias(name)

    return joined.select(*[filled(name) for name in entries.columns])


def _left_behind(carried: DataFrame, table: Table) -> DataFrame:
    """Give what an old key held when it was left, by the coordinates of the event."""
    own = ~F.col("_is_copy")
    states = F.struct(
        F.col("_kind").isin(*_ENDS).alias("gone"),
        *[state_name(name) for name in value_columns(table)],
    )
    last = F.last(F.when(own, states), ignorenulls=True).over(_earlier(_by_place(table)))
    held = carried.select(
        "_topic_id", "_partition", "_offset", "_kind", "_is_copy", last.alias("_held")
    )
    # An offset that was read twice has one row here: more would multiply the entries joined to it.
    left = held.filter((F.col("_kind") == MOVED_OUT) & own)
    gone = F.coalesce(F.col("_held")["gone"], F.lit(True))
    return left.select(
        "_topic_id",
        "_partition",
        "_offset",
        *[
            F.when(~gone, F.col("_held")[state_name(name)]).alias(state_name(name))
            for name in value_columns(table)
        ],
    )


def closed_and_opened(desired: DataFrame) -> DataFrame:
    """Give the rows by which history differs where the past of each key was its seed.

    Args:
        desired: the result of `versions`.

    Returns:
        The columns of history, `_action` and `_closed_at`, as `difference` gives them; nothing is
        deleted, and no closed row is addressed.
    """
    changed = F.col("_effective_to").isNotNull() | F.col("_is_refreshed")
    action = F.when(~F.col("_is_held"), "insert").when(changed, "update")
    return (
        desired.withColumn("_action", action)
        .withColumn("_closed_at", F.lit(None).cast("timestamp"))
        .filter(F.col("_action").isNotNull())
        .drop("_is_held", "_is_refreshed")
    )


def difference(desired: DataFrame, existing: DataFrame, table: Table) -> DataFrame:
    """Give the rows by which history differs from what it must hold.

    Args:
        desired: the result of `versions`.
        existing: all rows of history of the same keys.
        table: the table's entry of tables.yaml.

    Returns:
        The columns of `desired`; `_action`: `insert`, `update` or `delete`, addressed by the key
        and `_effective_from`; `_closed_at` (the `_effective_to` that the addressed row has).
    """
    address = [*table.primary_key, "_effective_from"]
    technical = (*address, "_is_held", "_is_refreshed")
    content = [name for name in desired.columns if name not in technical]
    wanted = desired.select(*address, F.struct(*content).alias("_wanted"))
    found = existing.select(*address, F.struct(*content).alias("_found"))
    joined = wanted.join(found, address, "full_outer")
    same = F.lit(True)
    for name in content:
        same = same & F.col("_wanted")[name].eqNullSafe(F.col("_found")[name])
    action = (
        F.when(F.col("_found").isNull(), "insert")
        .when(F.col("_wanted").isNull(), "delete")
        .when(~same, "update")
    )
    return (
        joined.select("*", action.alias("_action"))
        .filter(F.col("_action").isNotNull())
        .select(
            *[
                F.col(name) if name in address else F.col("_wanted")[name].alias(name)
                for name in (*address, *content)
            ],
            "_action",
            F.col("_found")["_effective_to"].alias("_closed_at"),
        )
    )


def earliest_closed(changes: DataFrame) -> str | None:
    """Find when the oldest closed row ended that changes address: ISO 8601 in UTC, else None."""
    found = changes.agg(F.date_format(F.min("_closed_at"), ISO).alias("at")).first()
    return None if found is None else found["at"]
