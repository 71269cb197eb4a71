"""The stack's Lambdas on a real PostgreSQL and a real broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import TopicAuthorizationFailedError

from cdcctl.compile.artefacts import ddl_artefact
from cdcctl.local.broker import sasl_settings
from cdcctl.local.postgres import PostgresServer
from cdcctl.operations.source_database import breaking_differences
from glue_job.contract.loader import load as load_config
from tests.local import lambdas
from tests.local.running_stack import RunningStack
from tests.local.tls_door import CERTIFICATES, tls_door

pytestmark = pytest.mark.local

CONFIG = """\
settings:
  trigger_interval: 15 seconds
  quarantine_path: "s3://${STACK_NAME}-quarantine-${AWS_ACCOUNT_ID}/"
  checkpoint_location: "s3://${STACK_NAME}-assets-${AWS_ACCOUNT_ID}/checkpoints/"
  delta_bucket: "${STACK_NAME}-delta-${AWS_ACCOUNT_ID}"
kafka: {bootstrap_servers: PLACEHOLDER}
source_database: {engine: postgres, schema_name: lambda_made}
tables:
  - name: cars
    primary_key: id
    schema:
      - {name: id, type: integer, nullable: false}
      - {name: vin, type: string}
      - {name: price, type: "decimal(10,2)"}
      - {name: seen_at, type: timestamp}
"""
Ask = Callable[..., dict[str, Any]]


def artefact(config: str = CONFIG) -> dict[str, Any]:
    pipeline = load_config(config, "tables.yaml").pipeline
    assert pipeline is not None
    return ddl_artefact(pipeline)


@pytest.fixture
def assets() -> lambdas.Assets:
    return lambdas.Assets()


@pytest.fixture
def sql_runner(
    running: RunningStack, assets: lambdas.Assets, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ask]:
    server = PostgresServer(running.stack, int(running.report.postgres["port"]))
    held = server.parameters()
    function = lambdas.load("sql-runner")
    clients = {
        "s3": assets,
        "secretsmanager": lambdas.Secrets(
            owner={"username": held["user"], "password": held["password"]},
            dms={"username": "cdc_dms", "password": 'it\'s a "secret"'},
        ),
    }
    monkeypatch.setattr(function.boto3, "client", clients.__getitem__)
    for name, value in {
        "ASSETS_BUCKET": "assets",
        "DB_SECRET_ARN": "owner",
        "DMS_SECRET_ARN": "dms",
        "DB_HOST": held["host"],
        "DB_PORT": str(held["port"]),
        "DB_NAME": held["dbname"],
        "DB_SSLMODE": "disable",
    }.items():
        monkeypatch.setenv(name, value)

    def ask(
        content: Any, action: str = "apply_ddl", at: str = "config/abc/file.json", **event: Any
    ) -> dict[str, Any]:
        answer: dict[str, Any] = function.handler(
            {"action": action, **assets.put(content, at), **event}, None
        )
        return answer

    yield ask
    running.sql("DROP SCHEMA IF EXISTS lambda_made CASCADE")
    running.sql("DROP ROLE IF EXISTS cdc_dms")


def test_tables_are_made_once(sql_runner: Ask, running: RunningStack) -> None:
    planned = sql_runner(artefact(), dry_run=True)["body"]
    assert [each["name"] for each in planned["statements"]] == [
        "create schema",
        "create table cars",
    ]
    assert {each["status"] for each in planned["statements"]} == {"planned"}
    made = sql_runner(artefact())["body"]
    assert {each["status"] for each in made["statements"]} == {"done"}
    running.sql("INSERT INTO lambda_made.cars VALUES (1, 'x', 1.5, now())")
    again = sql_runner(artefact())["body"]
    assert again["statements"] == []
    assert again["wal_level"] == "logical"
    assert again["tables"]["cars"]["primary_key"] == ["id"]


def test_dms_may_read_and_replicate_and_no_more(sql_runner: Ask, running: RunningStack) -> None:
    sql_runner(artefact())
    sql_runner(artefact())
    held = PostgresServer(running.stack, int(running.report.postgres["port"])).parameters()
    own = {**held, "user": "cdc_dms", "password": 'it\'s a "secret"'}
    with closing(psycopg2.connect(**own)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolreplication, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (True, False)
        cursor.execute("SELECT count(*) FROM lambda_made.cars")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM lambda_made.cars")


def test_what_the_compiler_says_of_types_is_what_the_database_has(sql_runner: Ask) -> None:
    sql_runner(artefact())
    held = sql_runner(artefact(), "inspect")["body"]["tables"]
    assert list(breaking_differences(artefact(), held)) == []


def test_a_new_column_is_added_and_rows_stay(sql_runner: Ask, running: RunningStack) -> None:
    sql_runner(artefact())
    running.sql("INSERT INTO lambda_made.cars VALUES (1, 'x', 1.5, now())")
    wider = artefact(CONFIG + "      - {name: color, type: string}\n")
    done = sql_runner(wider)["body"]["statements"]
    assert [each["name"] for each in done] == ["add column cars.color"]
    held = sql_runner(wider, "inspect")["body"]["tables"]["cars"]["columns"]
    assert held[-1] == {"name": "color", "type": "character varying(255)", "nullable": True}


def test_what_no_statement_can_mend_is_named(sql_runner: Ask) -> None:
    sql_runner(artefact())
    other = CONFIG.replace('"decimal(10,2)"', "integer").replace("seen_at", "made_at")
    held = sql_runner(artefact(other), "inspect")["body"]["tables"]
    assert list(breaking_differences(artefact(other), held)) == [
        "cars.price is numeric(10,2), not integer",
        "cars.seen_at is not in tables.yaml",
    ]


def test_slots_that_nobody_reads_are_dropped(sql_runner: Ask, running: RunningStack) -> None:
    slots = "SELECT slot_name, active FROM pg_replication_slots"
    read_by_capture = running.sql(slots)
    assert [is_active for _, is_active in read_by_capture] == [True]
    running.sql("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
    assert sql_runner({}, "drop_slots")["body"] == {"dropped": ["left_behind"]}
    assert sql_runner({}, "drop_slots")["body"] == {"dropped": []}
    assert running.sql(slots) == read_by_capture


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE vehicles",
        'CREATE TABLE IF NOT EXISTS "a"."b" (id int); DROP TABLE kinds',
        'ALTER TABLE "a"."b" DROP COLUMN "c"',
        "SELECT pg_sleep(1)",
    ],
)
def test_no_other_statement_runs(sql: str, sql_runner: Ask, running: RunningStack) -> None:
    content = artefact()
    content["tables"][0]["create"] = sql
    answer = sql_runner(content)
    assert answer["statusCode"] == 400
    assert "not one that may run" in answer["error"]


def test_a_statement_that_fails_takes_the_others_back(sql_runner: Ask) -> None:
    content = artefact()
    first = content["tables"][0]
    create = first["create"].replace("cars", "bikes").replace("integer", "nothing")
    content["tables"].append({**first, "name": "bikes", "create": create})
    answer = sql_runner(content)
    assert "`create table bikes` failed, nothing was changed" in answer["error"]
    assert sql_runner(artefact(), "inspect")["body"]["tables"] == {}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"action": "sql", "sql": "DROP TABLE x"}, "no action 'sql'"),
        ({"bucket": "elsewhere"}, "not in elsewhere"),
        ({"key": "other/file.json"}, "not the key of an artefact"),
        ({"key": "config/../secret"}, "not the key of an artefact"),
        ({"sha256": "0" * 64}, "asked for was 0000000000000000"),
    ],
)
def test_an_event_that_asks_for_something_else_is_refused(
    event: dict[str, Any], said: str, sql_runner: Ask
) -> None:
    answer = sql_runner(artefact(), **event)
    assert answer["statusCode"] == 400
    assert said in answer["error"]


def test_a_wrong_password_is_told_without_it(
    sql_runner: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PORT", "1")
    answer = sql_runner(artefact())
    assert "the database does not answer" in answer["error"]


@pytest.mark.parametrize(
    ("root", "host", "said"),
    [
        ("root.pem", "localhost", None),
        ("other-root.pem", "localhost", "certificate verify failed"),
        ("root.pem", "127.0.0.1", "does not match host name"),
    ],
)
def test_the_source_is_verified_by_the_root_that_a_stack_has(
    root: str,
    host: str,
    said: str | None,
    sql_runner: Ask,
    running: RunningStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = PostgresServer(running.stack, int(running.report.postgres["port"])).parameters()
    monkeypatch.setenv("DB_SSLMODE", "verify-full")
    monkeypatch.setenv("DB_CA", (CERTIFICATES / root).read_text())
    monkeypatch.setenv("DB_HOST", host)
    with tls_door(held["host"], int(held["port"])) as port:
        monkeypatch.setenv("DB_PORT", str(port))
        answer = sql_runner(artefact(), "inspect")
    assert answer["statusCode"] == (200 if said is None else 400)
    assert said is None or said in answer["error"]


def car(operation: str, key: int | None, **values: Any) -> dict[str, Any]:
    return {"operation": operation, "table": "cars", "key": key, "values": values}


def rows(*transactions: list[dict[str, Any]], last: int = 0) -> dict[str, Any]:
    return {
        "schema": "lambda_made",
        "tables": ["cars", "bikes"],
        "last": {"cars": last},
        "transactions": list(transactions),
    }


@pytest.fixture
def seed(sql_runner: Ask) -> Ask:
    sql_runner(artefact())

    def ask(content: Any, key: str = "seed/abc/rows.json") -> dict[str, Any]:
        return sql_runner(content, "seed", at=key)

    return ask


def cars(running: RunningStack) -> list[tuple[Any, ...]]:
    return running.sql("SELECT id, vin, xmin::text FROM lambda_made.cars ORDER BY id")


def test_rows_are_written_once_in_their_transactions(seed: Ask, running: RunningStack) -> None:
    assert seed(rows())["body"] == {"keys": {"cars": []}}
    made = rows(
        [car("insert", None, id=1, vin="it's"), car("insert", None, id=2, vin="b")],
        [car("insert", None, id=3, vin=None, seen_at="2026-01-05T06:00:00+00:00")],
        [car("update", 1, id=4), car("update", 3, price=1.5), car("delete", 2)],
    )
    assert seed(made)["body"] == {"keys": {"cars": [4, 3]}}
    (third, no_vin, one), (fourth, vin, other) = cars(running)
    assert (third, no_vin, fourth, vin) == (3, None, 4, "it's")
    assert one == other
    answer = seed(made)
    assert answer["statusCode"] == 400
    assert "others have written" in answer["error"]
    assert [key for key, *_ in cars(running)] == [3, 4]


@pytest.mark.parametrize(
    "change",
    [
        car("TRUNCATE", 1),
        {**car("insert", None, id=1), "table": "kinds"},
        car("insert", None, id={"a": 1}),
    ],
)
def test_a_row_of_another_shape_is_refused(
    change: dict[str, Any], seed: Ask, running: RunningStack
) -> None:
    assert "not one that may be written" in seed(rows([change]))["error"]
    assert cars(running) == []


def test_a_name_is_never_read_as_sql(seed: Ask, running: RunningStack) -> None:
    injected = car("insert", None, **{"id) VALUES (1); DROP TABLE lambda_made.cars --": 1})
    assert "does not exist" in seed(rows([injected]))["error"]
    assert cars(running) == []


def test_what_is_written_before_a_refused_row_stays(seed: Ask, running: RunningStack) -> None:
    first, twice = [car("insert", None, id=1)], [car("insert", None, id=2), car("delete", "x")]
    answer = seed(rows(first, twice))
    assert "transaction 2 failed, the 1 before it are kept" in answer["error"]
    assert [key for key, *_ in cars(running)] == [1]


def test_two_seeds_at_once_are_one(seed: Ask, running: RunningStack) -> None:
    server = PostgresServer(running.stack, int(running.report.postgres["port"]))
    with closing(server.connect()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('cdcctl seed'))")
        assert "another seed" in seed(rows())["error"]


@pytest.mark.parametrize("key", ["config/abc/rows.json", "code/rows.json"])
def test_rows_lie_in_their_own_folder(key: str, seed: Ask) -> None:
    assert "not the key of an artefact" in seed(rows(), key)["error"]


@pytest.fixture
def kafka_admin(
    running: RunningStack, assets: lambdas.Assets, monkeypatch: pytest.MonkeyPatch
) -> Ask:
    function = lambdas.load("kafka-admin")
    clients = {
        "s3": assets,
        "secretsmanager": lambdas.Secrets(
            arn={
                "username": str(running.report.kafka["sasl_username"]),
                "password": running.stack.password(running.stack.kafka_password),
            }
        ),
    }
    monkeypatch.setattr(function.boto3, "client", clients.__getitem__)
    monkeypatch.setenv("ASSETS_BUCKET", "assets")
    monkeypatch.setenv("SECRET_ARN", "arn")
    monkeypatch.setenv("BROKERS", "1")
    monkeypatch.setenv("DMS_USER", "dms")
    monkeypatch.setenv("BOOTSTRAP_SERVERS", str(running.report.kafka["bootstrap_servers"]))
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")

    def ask(*topics: dict[str, Any], **event: Any) -> dict[str, Any]:
        named = assets.put({"topics": list(topics)})
        answer: dict[str, Any] = function.handler(
            {"action": "sync_from_config", **named, **event}, None
        )
        return answer

    return ask


def topic(name: str, retention: str = "604800000", partitions: int = 3) -> dict[str, Any]:
    return {
        "name": name,
        "partitions": partitions,
        "replication_factor": 3,
        "configs": {"retention.ms": retention, "cleanup.policy": "delete"},
    }


def test_topics_are_made_once_and_drift_is_told(kafka_admin: Ask) -> None:
    assert kafka_admin(topic("lambda-a"), dry_run=True)["body"]["created"] == ["lambda-a"]
    assert kafka_admin(topic("lambda-a"))["body"]["created"] == ["lambda-a"]
    again = kafka_admin(topic("lambda-a"))["body"]
    assert (again["created"], again["unchanged"], again["drift"]) == ([], ["lambda-a"], [])
    other = topic("lambda-a", retention="1000000", partitions=5)
    drift = {each["setting"]: each for each in kafka_admin(other)["body"]["drift"]}
    assert drift["retention.ms"]["found"] == "604800000"
    assert drift["partitions"] == {
        "topic": "lambda-a",
        "setting": "partitions",
        "wanted": "5",
        "found": "3",
    }
    kafka_admin(other, apply_config=True)
    left = kafka_admin(other)["body"]["drift"]
    assert [each["setting"] for each in left] == ["partitions"]


def test_only_a_topic_that_is_named_and_unknown_is_removed(kafka_admin: Ask) -> None:
    kafka_admin(topic("lambda-b"), topic("lambda-c"))
    seen = kafka_admin(topic("lambda-b"), dry_run=True, prune=["lambda-c", "lambda-b"])["body"]
    assert "lambda-c" in seen["unknown"]
    assert seen["pruned"] == ["lambda-c"]
    kafka_admin(topic("lambda-b"), prune=["lambda-c", "lambda-b"])
    left = kafka_admin(topic("lambda-b"))["body"]
    assert "lambda-c" not in left["unknown"]
    assert left["created"] == []


def test_dms_writes_to_its_topics_and_reads_none(kafka_admin: Ask, running: RunningStack) -> None:
    own = sasl_settings(
        str(running.report.kafka["sasl_username"]),
        running.stack.password(running.stack.kafka_password),
    )
    brokers = {"bootstrap_servers": running.report.kafka["bootstrap_servers"]}
    login = UserScramCredentialUpsertion("dms", ScramMechanism.SCRAM_SHA_512, password="secret")
    with closing(KafkaAdminClient(**brokers, **own)) as admin:
        admin.alter_user_scram_credentials([login])
    assert kafka_admin(topic("lambda-e"), dry_run=True)["body"]["granted"] == ["lambda-e"]
    assert kafka_admin(topic("lambda-e"))["body"]["granted"] == ["lambda-e"]
    assert kafka_admin(topic("lambda-e"))["body"]["granted"] == []
    dms = {**brokers, **sasl_settings("dms", "secret")}
    with closing(KafkaProducer(**dms)) as producer:
        assert producer.send("lambda-e", b"x").get(20).topic == "lambda-e"
    with closing(KafkaConsumer(**dms)) as consumer:
        consumer.assign([TopicPartition("lambda-e", 0)])
        consumer.seek_to_beginning()
        with pytest.raises(TopicAuthorizationFailedError):
            consumer.poll(10_000)


def test_brokers_that_do_not_answer_are_told(
    kafka_admin: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTSTRAP_SERVERS", "127.0.0.1:1")
    answer = kafka_admin(topic("lambda-d"))
    assert answer["statusCode"] == 400
    assert "the brokers do not answer" in answer["error"]


class Glue:
    """A Glue catalog in memory."""

    class exceptions:
        """As boto3 gives them."""

        class EntityNotFoundException(Exception):
            """No such table."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        if Name not in self.tables:
            raise self.exceptions.EntityNotFoundException
        return {"Table": {**self.tables[Name], "CreatedBy": "somebody"}}

    def create_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        assert TableInput["Name"] not in self.tables
        self.tables[TableInput["Name"]] = TableInput

    def update_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        assert TableInput["Name"] in self.tables
        self.tables[TableInput["Name"]] = TableInput


def test_catalog_tables_are_made_changed_and_left_alone(
    assets: lambdas.Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, glue = lambdas.load("athena-table-creator"), Glue()
    monkeypatch.setattr(function.boto3, "client", {"s3": assets, "glue": glue}.__getitem__)
    monkeypatch.setenv("ASSETS_BUCKET", "assets")

    def ask(location: str, **event: Any) -> dict[str, Any]:
        table = {
            "Name": "cars",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE"},
            "StorageDescriptor": {"Location": location, "Columns": []},
        }
        answer: dict[str, Any] = function.handler(
            {
                **assets.put({"tables": [table]}),
                "database": "demo_db",
                "placeholders": {"STACK_NAME": "demo"},
                **event,
            },
            None,
        )
        return answer

    place = "s3://${STACK_NAME}-delta/cars/"
    assert ask(place, dry_run=True)["body"]["created"] == ["cars"]
    assert glue.tables == {}
    assert ask(place)["body"]["created"] == ["cars"]
    assert glue.tables["cars"]["StorageDescriptor"]["Location"] == "s3://demo-delta/cars/"
    assert ask(place)["body"]["unchanged"] == ["cars"]
    assert ask("s3://other/")["body"]["updated"] == ["cars"]
    assert ask(place, placeholders={"PATH": "x"})["statusCode"] == 400


class CloudFormation(BaseHTTPRequestHandler):
    """Takes the answer of a custom resource."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append(json.loads(body))  # type: ignore[attr-defined]  # set by the test
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.mark.parametrize(
    ("request_type", "brokers", "status", "data"),
    [
        ("Create", "b-2:9096,b-1:9096", "SUCCESS", {"BootstrapServers": "b-1:9096,b-2:9096"}),
        ("Update", "b-1:9096", "SUCCESS", {"BootstrapServers": "b-1:9096"}),
        ("Delete", None, "SUCCESS", {}),
        ("Create", None, "FAILED", {}),
    ],
)
def test_cloudformation_always_gets_an_answer(
    request_type: str,
    brokers: str | None,
    status: str,
    data: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Kafka:
        def get_bootstrap_brokers(self, *, ClusterArn: str) -> dict[str, str]:
            return {} if brokers is None else {"BootstrapBrokerStringSaslScram": brokers}

    function = lambdas.load("msk-bootstrap-servers")
    monkeypatch.setattr(function.boto3, "client", {"kafka": Kafka()}.__getitem__)
    server = HTTPServer(("127.0.0.1", 0), CloudFormation)
    server.answers = []  # type: ignore[attr-defined]  # read below
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    event = {
        "RequestType": request_type,
        "ResponseURL": f"http://127.0.0.1:{server.server_port}/answer",
        "ResourceProperties": {"ClusterArn": "arn:cluster"},
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "MskBootstrapServers",
    }
    try:
        if status == "FAILED":
            with pytest.raises(LookupError):
                function.handler(event, None)
        else:
            function.handler(event, None)
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
    (answer,) = server.answers  # type: ignore[attr-defined]  # set above
    assert (answer["Status"], answer["Data"]) == (status, data)
    assert answer["PhysicalResourceId"] == "bootstrap-servers/arn:cluster"
    assert answer["Reason"]
