"""Where things lie in S3."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault, Place
from glue_job.contract.lake import METRICS_TABLE
from glue_job.contract.schema import BUCKET, STORAGE_PATH
from glue_job.contract.yaml_source import MappingNode, place_of, value_place

PLACEHOLDERS = ("STACK_NAME", "AWS_ACCOUNT_ID")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?|\$[A-Za-z_]\w*")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def placeholder_fault(node: MappingNode, key: str) -> Iterator[Fault]:
    """Report what looks like a placeholder and is none of the two."""
    text = node.get(key)
    if type(text) is not str or "$" not in text:
        return
    for match in _PLACEHOLDER.finditer(text):
        if match[0] not in ("${STACK_NAME}", "${AWS_ACCOUNT_ID}"):
            message = f"`{match[0]}` is not a placeholder"
            known = " and ".join("${" + name + "}" for name in PLACEHOLDERS)
            yield Fault("CFG019", message, value_place(node, key), f"there are {known} only")
            return


def settings_are_legal(pipeline: PipelineDraft) -> Iterator[Fault]:
    """Paths and the bucket of the settings are legal in S3."""
    node = pipeline.section("settings")
    for key in ("quarantine_path", "checkpoint_location", "delta_bucket"):
        yield from placeholder_fault(node, key)
        yield from _illegal_path(node, key)


def delta_path_is_legal(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A table's path is legal in S3."""
    if "delta_path" in draft.node:
        yield from placeholder_fault(draft.node, "delta_path")
        yield from _illegal_path(draft.node, "delta_path")


def places_are_apart(pipeline: PipelineDraft) -> Iterator[Fault]:
    """No table lies in another's folder, nor in one of the quarantine, checkpoints or the job."""
    settings, node = pipeline.pipeline.settings, pipeline.section("settings")
    delta = f"s3://{settings.delta_bucket}/"
    fixed = {
        "`quarantine_path`": (settings.quarantine_path, _setting_place(node, "quarantine_path")),
        "`checkpoint_location`": (
            settings.checkpoint_location,
            _setting_place(node, "checkpoint_location"),
        ),
    }
    if not any(draft.table.name == METRICS_TABLE for draft in pipeline.tables):
        fixed["the metrics table"] = (f"{delta}{METRICS_TABLE}/", Place(None, None))
    entries = [(path.rstrip("/") + "/", name, place) for name, (path, place) in fixed.items()]
    names = set()
    for draft in pipeline.tables:
        table = draft.table
        if not table.name or table.name in names:
            continue
        names.add(table.name)
        path = table.delta_path.rstrip("/") + "/"
        entries.append((path, f"table `{table.name}`", _path_place(draft)))
        if path.startswith(delta) and path[len(delta) :].startswith(("_", "deequ-state/")):
            folder = path[len(delta) :].partition("/")[0]
            message = f"`{folder}/` is a folder the job keeps for itself"
            yield Fault("CFG033", message, _path_place(draft), "use another path")
    yield from _nested(entries)


def _nested(entries: list[tuple[str, str, Place]]) -> Iterator[Fault]:
    """Find equal and nested paths among sorted ones: a path's outer path precedes it."""
    open_paths: list[tuple[str, str, Place]] = []
    for path, name, place in sorted(entries, key=lambda entry: entry[0]):
        while open_paths and not path.startswith(open_paths[-1][0]):
            open_paths.pop()
        if open_paths:
            outer, outer_name, outer_place = open_paths[-1]
            how = "is the path of" if outer == path else "lies in the path of"
            later, earlier = (name, outer_name)
            if place.line is None or (outer_place.line or 0) > place.line:
                place, (later, earlier) = outer_place, (outer_name, name)
                how = how if outer == path else "contains the path of"
            message = f"the path of {later} {how} {earlier}"
            yield Fault("CFG033", message, place, "give each a folder of its own")
        open_paths.append((path, name, place))


def _illegal_path(node: MappingNode, key: str) -> Iterator[Fault]:
    text = node.get(key)
    form = BUCKET if key == "delta_bucket" else STORAGE_PATH
    if type(text) is not str or not re.search(form, text):
        return
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    filled = _PLACEHOLDER.sub(_sample, bucket)
    place = value_place(node, key)
    if not _BUCKET.fullmatch(filled) or _ADDRESS.fullmatch(filled):
        help_text = "3 to 63 lower-case letters, digits, `-` and `.`, with the placeholders filled"
        yield Fault("CFG032", f"`{bucket}` is not a legal bucket name", place, help_text)
    segments = prefix.rstrip("/").split("/") if prefix else []
    if any(segment in ("", ".", "..") for segment in segments) and prefix != "/":
        yield Fault("CFG032", f"`{text}` has an empty, `.` or `..` folder", place)
    elif _ODD.search(prefix):
        message = f"`{text}` has a character that is not safe in an S3 key"
        yield Fault("CFG032", message, place, "letters, digits and ! - _ . * ' ( ) = / are")


_ODD = re.compile(r"[^A-Za-z0-9!\-_.*'()=/${}]")
_SAMPLES = {"STACK_NAME": "stack", "AWS_ACCOUNT_ID": "123456789012"}


def _sample(match: re.Match[str]) -> str:
    return _SAMPLES.get(match[1] or "", "x")


def _setting_place(node: MappingNode, key: str) -> Place:
    return value_place(node, key) if key in node else Place(None, None)


def _path_place(draft: TableDraft) -> Place:
    for key in ("delta_path", "name"):
        if key in draft.node:
            return value_place(draft.node, key)
    return place_of(draft.node.event)
