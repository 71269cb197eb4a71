"""Steps 5 and 6, versions and order: the history of a key is a fold of its entries.

Everything here is one shuffle by key and windows on it, so that the same code serves a key whose
whole past is its current row and a key that is folded again from the ledger.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from glue_job.contract.model import Table
from glue_job.pipeline.entries import DELETE, LOAD, MOVED_IN, MOVED_OUT, SEED, UPSERT

_ENDS = (DELETE, MOVED_OUT)
_POSITION = ("_time", "_lsn", "_record_id", "_partition", "_offset")


def place(entries: DataFrame, table: Table) -> DataFrame:
    """Order the entries of each key and find their effective times.

    Args:
        entries: `entry_columns` and `_is_new` (whether the entry belongs to this batch).
        table: the table's entry of tables.yaml.

    Returns:
        The entries and `_copy` (0 for the delivery that gives an event its values, 1 for its
        duplicates), `_known` (the event had been delivered before this batch), `_place` (a struct
        that orders the entries of a key), `_effective` (timestamp), `_had_shown` (whether an entry
        of an earlier batch was visible before this one), `_shown` (whether the entry
        is ever visible).
    """
    identity: list[Column | str] = [*table.primary_key, *_identity()]
    deliveries = Window.partitionBy(*identity)
    best_first = deliveries.orderBy(
        F.col("_release").desc(), F.col("_partition"), F.col("_offset"), F.col("_topic_id")
    )
    identified = entries.select(
        "*",
        F.when(F.row_number().over(best_first) == 1, 0).otherwise(1).alias("_copy"),
        F.max(~F.col("_is_new")).over(deliveries).alias("_known"),
        F.min("_emitted_at").over(deliveries).alias("_emission"),
    )
    key = Window.partitionBy(*table.primary_key, "_copy")
    own = F.struct(*_POSITION)
    is_load = F.col("_kind") == LOAD
    # A load follows the last change, in source order, that DMS had emitted when it read the row.
    emitted_so_far = key.orderBy(
        F.col("_emission").asc_nulls_first(), is_load.cast("int")
    ).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    anchored = identified.select(
        "*", F.max(F.when(~is_load, own)).over(emitted_so_far).alias("_anchor")
    )
    anchor = F.when(is_load, F.col("_anchor")).otherwise(own)
    position = F.struct(
        anchor.isNotNull().alias("after_a_change"),
        *[anchor[name].alias(name) for name in _POSITION],
        is_load.alias("is_load"),
        F.when(is_load, F.col("_emission")).alias("loaded_at"),
    )
    loaded = F.greatest(F.col("_emission"), anchor["_time"])
    effective = F.when(is_load, loaded).otherwise(F.col("_time"))
    located = anchored.select("*", position.alias("_place"), effective.alias("_effective")).drop(
        "_anchor"
    )
    following = key.orderBy("_place").rowsBetween(1, Window.unboundedFollowing)
    overtaken = F.min("_effective").over(following) <= F.col("_effective")
    is_old = ~F.col("_is_new")
    overtaken_before = F.min(F.when(is_old, F.col("_effective"))).over(following) <= F.col(
        "_effective"
    )
    return located.select(
        "*",
        (~F.coalesce(overtaken, F.lit(False))).alias("_shown"),
        (is_old & ~F.coalesce(overtaken_before, F.lit(False))).alias("_had_shown"),
    )


def _in_order(table: Table, *within: str) -> WindowSpec:
    """Give the entries of a key, first deliveries apart from duplicates, in their order."""
    return Window.partitionBy(*table.primary_key, "_copy", *within).orderBy("_place")


def _so_far(order: WindowSpec) -> WindowSpec:
    return order.rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _earlier(order: WindowSpec) -> WindowSpec:
    return order.rowsBetween(Window.unboundedPreceding, -1)


def _identity() -> list[Column]:
    """Give what two deliveries of one event share, beside the key."""
    is_load = F.col("_kind") == LOAD
    is_seed = F.col("_kind") == SEED
    by_coordinates = ~is_load & ~F.col("_sequenced")
    known_or_read = F.when(is_seed, "seed").when(is_load, "load")
    return [
        known_or_read.when(by_coordinates, "offset").otherwise("position"),
        F.when(is_load, F.col("_emitted_at")).when(~by_coordinates, F.col("_time")),
        F.when(~by_coordinates & ~is_load, F.col("_lsn")),
        F.when(~by_coordinates & ~is_load, F.col("_record_id")),
        F.when(by_coordinates, F.col("_topic_id")),
        F.when(by_coordinates, F.col("_partition")),
        F.when(by_coordinates, F.col("_offset")),
    ]


def state_name(name: str) -> str:
    """Name the column that holds what is known of a data column at an entry: a struct or NULL."""
    return f"_state_{name}"


def carry(placed: DataFrame, table: Table) -> DataFrame:
    """Give every entry the values that its key has there, absent fields carried.

    Args:
        placed: the result of `place`.
        table: the table's entry of tables.yaml.

    Returns:
        `placed` with one `state_name` struct column a data column outside the key: NULL when
        nothing is known (a column added to the config later), else a struct with `v`.
    """
    ends = F.col("_kind").isin(*_ENDS)
    ended = F.sum(ends.cast("int")).over(_so_far(_in_order(table)))
    lives = placed.select("*", ended.alias("_life"))
    life = _in_order(table, "_life")
    in_life = _so_far(life)
    begins = F.row_number().over(life) == F.when(F.col("_life") == 0, 1).otherwise(2)
    begun = lives.select("*", begins.alias("_begins"))
    return begun.select(
        *placed.columns,
        *[
            F.last(_known(name), ignorenulls=True).over(in_life).alias(state_name(name))
            for name in value_columns(table)
        ],
    )


def _known(name: str) -> Column:
    """Tell what an entry itself says of a column; NULL when it says nothing."""
    value = F.struct(F.col(name).alias("v"))
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


def fold(placed: DataFrame, table: Table) -> DataFrame:
    """Find out what each entry changed.

    Args:
        placed: the result of `place`.
        table: the table's entry of tables.yaml.

    Returns:
        `placed` with the states of `carry` and `_alive` (the key exists after the entry),
        `_changes` (a version opens or ends there), `_outcome` (for new entries).
    """
    carried = carry(placed, table)
    alive = ~F.col("_kind").isin(*_ENDS)
    tracked = [name for name in value_columns(table) if name not in table.ignore_columns]
    state = F.struct(
        alive.alias("alive"),
        *[F.col(state_name(name)).alias(name) for name in tracked],
    )
    before = _earlier(_in_order(table))
    at_once = _earlier(_in_order(table, "_effective"))
    had_shown = F.col("_had_shown")
    compared = carried.select(
        "*",
        alive.alias("_alive"),
        state.alias("_after"),
        F.last(F.when(F.col("_shown"), state), ignorenulls=True).over(before).alias("_before"),
        F.last(F.when(had_shown, state), ignorenulls=True).over(at_once).alias("_replaced"),
        F.max(F.when(had_shown, F.col("_effective"))).over(before).alias("_reached"),
    )
    changes = _differs("_before", tracked)
    outcome = _outcome(changes, _differs("_replaced", tracked))
    return compared.select(
        *carried.columns,
        "_alive",
        (F.col("_shown") & changes).alias("_changes"),
        F.when(F.col("_is_new"), outcome).alias("_outcome"),
    )


def _outcome(changes: Column, replaces: Column) -> Column:
    """Tell what becomes of an entry.

    Args:
        changes: whether it differs from what showed before it.
        replaces: whether it differs from what an older entry had made of the same time.
    """
    # Where an older entry showed at the same time, this one changes what that one had made of it.
    differs = F.when(F.col("_replaced").isNotNull(), replaces).otherwise(changes)
    # A load that had shown and lies behind a later time shows no more.
    hides = F.coalesce(F.col("_reached") > F.col("_effective"), F.lit(False))
    return (
        F.when((F.col("_copy") == 1) | F.col("_known"), "duplicate")
        .when(~F.col("_shown"), "superseded")
        .when(differs | hides, "applied")
        .otherwise("unchanged")
    )


def _differs(earlier: str, tracked: list[str]) -> Column:
    """Tell whether the state after an entry is another than `earlier`."""
    before, after = F.col(earlier), F.col("_after")
    was_alive = F.coalesce(before["alive"], F.lit(False))
    values_differ = F.lit(False)
    for name in tracked:
        # What was unknown is filled in, not changed.
        both_known = before[name].isNotNull() & after[name].isNotNull()
        same = before[name]["v"].eqNullSafe(after[name]["v"])
        values_differ = values_differ | (both_known & ~same)
    return (was_alive != after["alive"]) | (was_alive & after["alive"] & values_differ)


def versions(folded: DataFrame, table: Table) -> DataFrame:
    """Give the rows that history must hold for the keys of the fold.

    Args:
        folded: the result of `fold`.
        table: the table's entry of tables.yaml.

    Returns:
        The data columns, `_effective_from`, `_effective_to` (NULL for the current row),
        `_is_current`, `_unknown` (names of data columns that no event has given yet).
    """
    shown = folded.filter((F.col("_copy") == 0) & F.col("_shown"))
    in_order = Window.partitionBy(*table.primary_key).orderBy("_place")
    changed_at = F.when(F.col("_changes"), F.col("_effective"))
    latest_change = F.last(changed_at, ignorenulls=True).over(_so_far(in_order))
    runs = shown.select(
        "*",
        latest_change.alias("_effective_from"),
        F.lead("_effective").over(in_order).alias("_effective_to"),
        F.coalesce(F.lead("_changes").over(in_order), F.lit(True)).alias("_run_ends"),
    )
    return runs.filter(F.col("_alive") & F.col("_run_ends")).select(
        *[
            F.col(name) if name in table.primary_key else F.col(state_name(name))["v"].alias(name)
            for name in table.column_names
        ],
        "_effective_from",
        "_effective_to",
        F.col("_effective_to").isNull().alias("_is_current"),
        _unknown(table).alias("_unknown"),
    )


def _unknown(table: Table) -> Column:
    """Name the data columns that no event has given yet."""
    names = value_columns(table)
    if not names:
        return F.array().cast("array<string>")
    unknown = [F.when(F.col(state_name(name)).isNull(), F.lit(name)) for name in names]
    return F.filter(F.array(*unknown), lambda name: name.isNotNull())


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
    left = _left_behind(carry(place(entries, table), table), table)
    states = F.struct(*[state_name(name) for name in names])
    joined = entries.join(left.select(*event, states.alias("_left")), event, "left")
    sparse = (F.col("_kind") == MOVED_IN) & (F.size("_absent") > 0)

    def filled(name: str) -> Column:
        if name not in names:
            return F.col(name)
        of_old_key = F.col("_left")[state_name(name)]["v"]
        missing = sparse & F.array_contains("_absent", name)
        return F.when(missing, of_old_key).otherwise(F.col(name)).alias(name)

    return joined.select(*[filled(name) for name in entries.columns])


def _left_behind(carried: DataFrame, table: Table) -> DataFrame:
    """Give what an old key held when it was left, by the coordinates of the event."""
    order = _in_order(table)
    gone = F.coalesce(F.last(F.col("_kind").isin(*_ENDS)).over(_earlier(order)), F.lit(True))
    held = [
        F.when(~gone, F.lag(state_name(name)).over(order)).alias(state_name(name))
        for name in value_columns(table)
    ]
    states = carried.select("_topic_id", "_partition", "_offset", "_kind", "_copy", *held)
    # An offset that was read twice has one row here: more would multiply the entries joined to it.
    return states.filter((F.col("_kind") == MOVED_OUT) & (F.col("_copy") == 0)).drop(
        "_kind", "_copy"
    )


def difference(desired: DataFrame, existing: DataFrame, table: Table) -> DataFrame:
    """Give the rows by which history differs from what it must hold.

    Args:
        desired: the result of `versions`.
        existing: the rows of history of the same keys (all of them, or only the current ones for
            keys whose new events are all later).
        table: the table's entry of tables.yaml.

    Returns:
        The columns of `desired` and `_action`: `insert`, `update` or `delete`, addressed by the
        key and `_effective_from`.
    """
    address = [*table.primary_key, "_effective_from"]
    content = [name for name in desired.columns if name not in address]
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
                for name in desired.columns
            ],
            "_action",
        )
    )
