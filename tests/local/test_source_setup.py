"""A local source that was made for an older config gains its new columns."""

from __future__ import annotations

from contextlib import closing

import pytest

from cdcctl.compile.ddl import column_additions, table_statements
from cdcctl.errors import CdcctlError
from cdcctl.local.postgres import PostgresServer
from cdcctl.local.source_setup import apply_statements
from glue_job.contract.loader import load
from tests.local.running_stack import RunningStack
from tests.local.test_lambdas import CONFIG

pytestmark = pytest.mark.local
COLOR = "      - {name: color, type: string}\n"
REQUIRED = "      - {name: color, type: string, nullable: false}\n"


def set_up(running: RunningStack, config: str) -> None:
    pipeline = load(config, "tables.yaml").pipeline
    assert pipeline is not None
    statements = [
        (each.name, each.sql) for each in (*table_statements(pipeline), *column_additions(pipeline))
    ]
    columns = {
        f"lambda_made.{table.name}": tuple(column.name for column in table.schema)
        for table in pipeline.streamed_tables
    }
    server = PostgresServer(running.stack, int(running.report.postgres["port"]))
    with closing(server.connect()) as connection:
        apply_statements(connection, statements, columns)


def test_a_column_that_may_be_null_is_added_and_rows_stay(running: RunningStack) -> None:
    try:
        set_up(running, CONFIG)
        running.sql("INSERT INTO lambda_made.cars VALUES (1, 'x', 1.5, now())")
        set_up(running, CONFIG + COLOR)
        running.sql("UPDATE lambda_made.cars SET color = 'red' WHERE id = 1")
    finally:
        running.sql("DROP SCHEMA IF EXISTS lambda_made CASCADE")


def test_a_column_that_rows_must_have_is_refused(running: RunningStack) -> None:
    try:
        set_up(running, CONFIG)
        with pytest.raises(CdcctlError) as caught:
            set_up(running, CONFIG + REQUIRED)
        assert caught.value.code == "LOC041"
    finally:
        running.sql("DROP SCHEMA IF EXISTS lambda_made CASCADE")
