"""Glue's job runs: scripted states, or the uploaded bundle as a local Spark process."""

from __future__ import annotations

import contextvars
import io
import json
import os
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import cloudwatch, glue, s3
from ministack.services import cloudwatch_logs as logs

from tests.fakeaws.processes import Child, environment_of_account, new_folder
from tests.fakeaws.refusal import Answer, Refusal, Request, Response, answered
from tests.fakeaws.settings import due, failure, setting

runs = AccountRegionScopedDict()
"""A job's name to its runs, the newest first."""
STORES = (runs,)

_LOG_SECONDS = 0.2
LIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")

_handle_glue = glue.handle_request


def _public(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if not name.startswith("_")}


def _job(name: str) -> dict[str, Any]:
    job: dict[str, Any] | None = glue._jobs.get(name)
    if job is None:
        raise Refusal(
            "EntityNotFoundException",
            f"Failed to start job run due to missing metadata. JobName={name}",
        )
    return job


def _now(name: str) -> list[dict[str, Any]]:
    """Give a job's runs as they are at this moment."""
    found: list[dict[str, Any]] = runs.setdefault(name, [])
    for run in found:
        while run["_later"] and run["_later"][0][0] <= time.time():
            _enter(run, run["_later"].pop(0)[1])
        process: Child | None = run["_process"]
        if process is not None and process.exit_code is not None:
            run["_process"] = None
            _ended(run, process)
    return found


def _enter(run: dict[str, Any], change: dict[str, Any]) -> None:
    run.update(change)
    run["LastModifiedOn"] = time.time()
    if run["JobRunState"] not in LIVE:
        run["CompletedOn"] = time.time()
        run["ExecutionTime"] = int(run["CompletedOn"] - run["StartedOn"])


def _ended(run: dict[str, Any], process: Child) -> None:
    if run["JobRunState"] == "STOPPING":
        _enter(run, {"JobRunState": "STOPPED"})
    elif process.exit_code == 0:
        _enter(run, {"JobRunState": "SUCCEEDED"})
    else:
        message = f"SystemExit: {process.exit_code}: {process.last_line}"
        _enter(run, {"JobRunState": "FAILED", "ErrorMessage": message})


def start_job_run(request: Request) -> Answer:
    name = request["JobName"]
    job = _job(name)
    others = _now(name)
    limit = int((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1))
    if sum(run["JobRunState"] in LIVE for run in others) >= limit:
        raise Refusal("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
    run = _new_run(job, request)
    others.insert(0, run)
    problem = failure("glue-run")
    if problem:
        failed = {"JobRunState": "FAILED", "ErrorMessage": problem}
        run["_later"] = [(due(), {"JobRunState": "RUNNING"}), (due(2), failed)]
    elif setting("glue_python"):
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_launch, run, job), daemon=True).start()
    else:
        run["_later"] = [(due(), {"JobRunState": "RUNNING"})]
        if job.get("Command", {}).get("Name") != "gluestreaming":
            run["_later"].append((due(3), {"JobRunState": "SUCCEEDED"}))
    return {"JobRunId": run["Id"]}


def _new_run(job: dict[str, Any], request: Request) -> dict[str, Any]:
    now = time.time()
    sizes = {
        name: request.get(name, job.get(name))
        for name in ("WorkerType", "NumberOfWorkers", "Timeout", "GlueVersion")
        if request.get(name, job.get(name)) is not None
    }
    return {
        "Id": f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
        "Attempt": 0,
        "JobName": job["Name"],
        "JobRunState": "STARTING",
        "StartedOn": now,
        "LastModifiedOn": now,
        "Arguments": request.get("Arguments", {}),
        "PredecessorRuns": [],
        "LogGroupName": _log_group(job),
        **sizes,
        "_later": [],
        "_process": None,
    }


def _log_group(job: dict[str, Any]) -> str:
    """Give what a job's log groups begin with: a security configuration has groups of its own."""
    security = job.get("SecurityConfiguration")
    if not security:
        return "/aws-glue/jobs"
    return f"/aws-glue/jobs/{security}-role/{job['Role'].rpartition('/')[2]}"


def get_job_runs(request: Request) -> Answer:
    if request["JobName"] not in glue._jobs:
        raise Refusal("EntityNotFoundException", f"Job {request['JobName']} not found.")
    found = _now(request["JobName"])
    start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 200)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {"JobRuns": [_public(run) for run in found[start : start + size]], **more}


def get_job_run(request: Request) -> Answer:
    for run in _now(request["JobName"]):
        if run["Id"] == request["RunId"]:
            return {"JobRun": _public(run)}
    raise Refusal("EntityNotFoundException", f"JobRun {request['RunId']} not found.")


def batch_stop_job_run(request: Request) -> Answer:
    name = request["JobName"]
    known = {run["Id"]: run for run in _now(name)}
    stopped, refused = [], []
    for run_id in request["JobRunIds"]:
        run = known.get(run_id)
        if run is None or run["JobRunState"] not in LIVE:
            code = "JobRunNotInTerminalStateException" if run else "EntityNotFoundException"
            detail = {"ErrorCode": code, "ErrorMessage": f"Job run {run_id} is not running."}
            refused.append({"JobName": name, "JobRunId": run_id, "ErrorDetail": detail})
            continue
        _stop(run)
        stopped.append({"JobName": name, "JobRunId": run_id})
    return {"SuccessfulSubmissions": stopped, "Errors": refused}


def _stop(run: dict[str, Any]) -> None:
    _enter(run, {"JobRunState": "STOPPING"})
    process: Child | None = run["_process"]
    if process is None:
        run["_later"] = [(due(), {"JobRunState": "STOPPED"})]
    else:
        process.stop()


def _launch(run: dict[str, Any], job: dict[str, Any]) -> None:
    """Bring the job's files here and start its script, as a Glue worker does."""
    folder = new_folder("glue")
    arguments = {
        **job.get("DefaultArguments", {}),
        **setting("glue_arguments"),
        **run["Arguments"],
    }
    try:
        script = _brought(job["Command"]["ScriptLocation"], folder)
        path = [_unpacked(uri, folder) for uri in _modules(arguments)]
        jars = [_brought(uri, folder) for uri in _uris(arguments.get("--extra-jars"))]
        _write_spark_defaults(folder, jars, arguments.get("--conf", ""))
        process = Child(
            [setting("glue_python"), str(script), *_argv(run, arguments)],
            {
                **environment_of_account(),
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "PYSPARK_PYTHON": setting("glue_python"),
                "SPARK_CONF_DIR": str(folder / "conf"),
                "SPARK_VERSION": "3.5",
                **setting("glue_env"),
            },
            folder,
        )
    except (OSError, LookupError, zipfile.BadZipFile) as error:
        _enter(run, {"JobRunState": "FAILED", "ErrorMessage": f"LAUNCH ERROR | {error}"})
        return
    if run["JobRunState"] == "STOPPING":
        process.stop()
    else:
        _enter(run, {"JobRunState": "RUNNING"})
    run["_process"] = process
    _follow(run, process)


def _follow(run: dict[str, Any], process: Child) -> None:
    """Bring what the process writes to the log group in which Glue has it."""
    place = {"logGroupName": f"{run['LogGroupName']}/error", "logStreamName": run["Id"]}
    logs._create_log_group(place)
    logs._create_log_stream(place)
    with process.log.open(errors="replace") as log:
        is_last = False
        while not is_last:
            is_last = process.exit_code is not None
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": line.rstrip()} for line in log if line.strip()]
            if events:
                logs._put_log_events({**place, "logEvents": events})
            for event in events:
                _measure(str(event["message"]))
            time.sleep(_LOG_SECONDS)


def _measure(line: str) -> None:
    """Take the metrics of a line in the embedded metric format, as CloudWatch Logs does."""
    if not line.startswith('{"_aws"'):
        return
    said = json.loads(line)
    for directive in said["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            of = {name: said[name] for name in names}
            for metric in directive["Metrics"]:
                name = metric["Name"]
                cloudwatch.record_metric(
                    directive["Namespace"], name, said[name], metric["Unit"], of
                )


def _argv(run: dict[str, Any], arguments: dict[str, str]) -> list[str]:
    """Give what Glue hands to the script: every argument, and those it adds itself."""
    added = {"--JOB_NAME": run["JobName"], "--JOB_RUN_ID": run["Id"], "--JOB_ID": "j_fake"}
    pairs = {**arguments, **added}
    return [word for pair in pairs.items() for word in pair if word != ""]


def _uris(listed: str | None) -> list[str]:
    return [uri.strip() for uri in (listed or "").split(",") if uri.strip().startswith("s3://")]


def _modules(arguments: dict[str, str]) -> list[str]:
    return [
        *_uris(arguments.get("--extra-py-files")),
        *_uris(arguments.get("--additional-python-modules")),
    ]


def _object(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes | None = s3._get_object_data(bucket, key)
    if content is None:
        raise LookupError(f"the specified key does not exist: {uri}")
    return content


def _brought(uri: str, folder: Path) -> Path:
    file = folder / "files" / uri.rsplit("/", 1)[-1]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(_object(uri))
    return file


def _unpacked(uri: str, folder: Path) -> Path:
    """Unpack an archive of Python code: a wheel's compiled modules load from files only."""
    target = folder / "python" / uri.rsplit("/", 1)[-1]
    with zipfile.ZipFile(io.BytesIO(_object(uri))) as archive:
        archive.extractall(target)
    return target


def _write_spark_defaults(folder: Path, jars: list[Path], conf: str) -> None:
    """Write what Glue's Spark has by itself, with this fake in the place of S3."""
    given = [jar for jar in setting("glue_jars").split(",") if jar]
    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(folder / "scratch"),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": os.environ["AWS_ENDPOINT_URL"],
        "spark.hadoop.fs.s3a.endpoint.region": get_region(),
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.access.key": get_account_id(),
        "spark.hadoop.fs.s3a.secret.key": "test",
        **_conf(conf),
        **setting("glue_conf"),
    }
    everything = [*map(str, jars), *given]
    if everything:
        settings["spark.jars"] = ",".join(everything)
    lines = "".join(f"{name} {value}\n" for name, value in settings.items())
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text(lines)


def _conf(given: str) -> dict[str, str]:
    """Read Glue's `--conf`: one string in which further settings follow another `--conf`."""
    parts = [part.strip() for part in given.split("--conf") if part.strip()]
    return {name: value for name, _, value in (part.partition("=") for part in parts)}


OPERATIONS: dict[str, Callable[[Request], Answer]] = {
    "StartJobRun": start_job_run,
    "GetJobRuns": get_job_runs,
    "GetJobRun": get_job_run,
    "BatchStopJobRun": batch_stop_job_run,
}


async def handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Response:
    """Answer the calls of runs; the catalog and the jobs are ministack's."""
    operation = OPERATIONS.get(headers.get("x-amz-target", "").rsplit(".", 1)[-1])
    if operation is None:
        response: Response = await _handle_glue(method, path, headers, body, query)
        return response
    return answered(operation, body)
