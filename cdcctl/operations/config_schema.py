"""The JSON Schema of tables.yaml as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from glue_job.contract.schema import rendered_schema

DEFAULT_SCHEMA_FILE = Path("config/tables.schema.json")


@dataclass(frozen=True)
class SchemaReport:
    """The schema's text, and whether the file held it before."""

    text: str
    file: Path | None = None
    was_current: bool = False


def config_schema() -> SchemaReport:
    """Generate the schema from the classes of rules, transforms and metrics."""
    return SchemaReport(rendered_schema())


def write_config_schema(file: Path) -> SchemaReport:
    """Bring a file up to date; one that is current is left alone."""
    text = rendered_schema()
    was_current = _text_of(file) == text
    if not was_current:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unusable(file, error) from None
    return SchemaReport(text, file, was_current)


def check_config_schema(file: Path) -> SchemaReport:
    """Raise when a file does not hold the schema."""
    text = rendered_schema()
    held = _text_of(file)
    if held != text:
        raise CdcctlError(
            "USE009",
            f"{file} does not exist" if held is None else f"{file} is not the current schema",
            fix=f"cdcctl schema --write {file}",
            exit_code=ExitCode.FAILED,
        )
    return SchemaReport(text, file, was_current=True)


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(file: Path, error: OSError) -> CdcctlError:
    return CdcctlError(
        "USE009",
        f"{file} cannot be used for the schema",
        why=str(error.strerror),
        fix="cdcctl schema --write FILE",
        exit_code=ExitCode.USAGE,
    )
