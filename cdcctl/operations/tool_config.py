"""Reads cdcctl.toml: defaults of options, for every command, with a section per environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode

OPTIONS = {
    "stack": "stack",
    "region": "region",
    "profile": "profile",
    "expected_account": "expected_account",
    "config": "config",
    "output": "output_format",
    "timeout": "timeout",
    "dir": "local_dir",
    "lake": "lake",
    "artifacts": "artifacts",
    "protected": "protected",
}
"""Keys of the file, and the parameters of commands that they are defaults of."""
_FLAGS = frozenset(("protected",))


@dataclass(frozen=True)
class ToolDefault:
    """A value of a file, and the place that it stands in."""

    value: Any
    place: str


def tool_defaults(folder: Path, environment: str | None) -> dict[str, Any]:
    """Give defaults by parameter: environment section over base over the user's own file."""
    return {name: each.value for name, each in placed_defaults(folder, environment).items()}


def placed_defaults(folder: Path, environment: str | None) -> dict[str, ToolDefault]:
    """Give defaults by parameter, each with where it stands."""
    project = _project_file(folder)
    held = _project_values(project) if project is not None else {}
    own = _user_values()
    merged: dict[str, ToolDefault] = {}
    for values, place in ((own, "the user's config.toml"), (held, str(project))):
        merged |= _placed(_base(values, place), place)
    sections = {**own.get("env", {}), **held.get("env", {})}
    if environment is not None:
        if environment not in sections:
            raise _unknown_environment(environment, sections, project)
        place = f"[env.{environment}]"
        merged |= _placed(_known(sections[environment], place), place)
    return {OPTIONS[name]: default for name, default in merged.items()}


def known_stacks(folder: Path) -> set[str]:
    """Name the stacks of all sections."""
    project = _project_file(folder)
    files = (_user_values(), _project_values(project) if project is not None else {})
    sections = (part for held in files for part in (held, *held.get("env", {}).values()))
    return {str(part["stack"]) for part in sections if "stack" in part}


def _placed(values: Mapping[str, Any], place: str) -> dict[str, ToolDefault]:
    return {name: ToolDefault(value, place) for name, value in values.items()}


def _base(values: Mapping[str, Any], place: str) -> dict[str, Any]:
    return _known({name: value for name, value in values.items() if name != "env"}, place)


def _known(values: Mapping[str, Any], place: str) -> dict[str, Any]:
    for name, value in values.items():
        if name not in OPTIONS:
            close = get_close_matches(name, OPTIONS, n=1)
            raise CdcctlError(
                "USE041",
                f"{place} has no key `{name}` to set",
                why=f"keys are {', '.join(OPTIONS)}, and tables [env.NAME]",
                fix=f"did you mean `{close[0]}`?" if close else "remove it",
                exit_code=ExitCode.USAGE,
            )
        is_flag = name in _FLAGS
        kind = "true or false" if is_flag else "a text or a number"
        if not isinstance(value, (str, int, float)) or isinstance(value, bool) != is_flag:
            raise CdcctlError(
                "USE041",
                f"`{name}` in {place} is not {kind}",
                fix=f"write {name} = true" if is_flag else f'write {name} = "..."',
                exit_code=ExitCode.USAGE,
            )
    return dict(values)


def _project_file(folder: Path) -> Path | None:
    """Find ./cdcctl.toml, else the nearest pyproject.toml that has [tool.cdcctl]."""
    own = folder / "cdcctl.toml"
    if own.is_file():
        return own
    for parent in (folder, *folder.parents):
        file = parent / "pyproject.toml"
        # Most have none: a look at the text spares the parser.
        if file.is_file() and b"[tool.cdcctl" in file.read_bytes():
            return file
    return None


def _project_values(file: Path) -> dict[str, Any]:
    values = _read(file)
    if file.name == "pyproject.toml":
        values = values.get("tool", {}).get("cdcctl", {})
    return values


def _user_values() -> dict[str, Any]:
    import platformdirs

    file = Path(platformdirs.user_config_path("cdcctl")) / "config.toml"
    return _read(file) if file.is_file() else {}


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CdcctlError(
            "USE040",
            f"{file} cannot be read",
            why=str(error),
            fix="mend the file, or remove it",
            exit_code=ExitCode.USAGE,
        ) from error
    return values


def _unknown_environment(
    name: str, sections: Mapping[str, Any], project: Path | None
) -> CdcctlError:
    close = get_close_matches(name, sections, n=1)
    return CdcctlError(
        "USE042",
        f"there is no environment `{name}`",
        why=f"there are: {', '.join(sections)}"
        if sections
        else f"{project or 'cdcctl.toml'} has no table [env.NAME]",
        fix=f"did you mean `{close[0]}`?" if close else f"write [env.{name}] in cdcctl.toml",
        exit_code=ExitCode.USAGE,
    )
