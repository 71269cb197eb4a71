"""What a tables.yaml must satisfy beyond its shape: one check is one function.

A check gets a draft and yields faults. Checks of a table see that table; checks of the pipeline
see all tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from glue_job.contract.checks import columns, internal, names, places, quality, settings, steps
from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault

TABLE_CHECKS: tuple[Callable[[TableDraft, PipelineDraft], Iterable[Fault]], ...] = (
    names.reserved_table_name,
    names.topic_is_taken_as_it_reads,
    names.reserved_ids,
    columns.names_differ,
    columns.reserved_names,
    columns.types_exist,
    columns.source_types_fit,
    columns.primary_key_is_a_key,
    columns.ignored_columns_leave_history,
    quality.rule_columns_exist,
    quality.rules_can_be_met,
    quality.rules_stand_once,
    quality.metrics_can_be_measured,
    quality.metrics_stand_once,
    steps.transform_columns_exist,
    steps.primary_key_stays,
    steps.transforms_have_an_order,
    steps.transforms_can_run,
    steps.transforms_keep_the_rules,
    places.delta_path_is_legal,
    internal.columns_are_those_the_job_writes,
    internal.nothing_of_a_stream,
)

PIPELINE_CHECKS: tuple[Callable[[PipelineDraft], Iterable[Fault]], ...] = (
    settings.brokers_have_ports,
    settings.placeholders_are_known,
    settings.schema_name_is_not_reserved,
    places.settings_are_legal,
    places.places_are_apart,
    names.table_names_differ,
    names.topics_differ,
    names.ids_differ,
    settings.a_table_has_a_stream,
)


def check_draft(draft: PipelineDraft) -> list[Fault]:
    """Run every check."""
    faults: list[Fault] = []
    for check_pipeline in PIPELINE_CHECKS:
        faults += check_pipeline(draft)
    for table in draft.tables:
        for check_table in TABLE_CHECKS:
            faults += check_table(table, draft)
    return faults
