"""The command line: which commands there are, global options, and the one error boundary.

Start-up time decides how this module looks. `cdcctl --help` is rendered from the table below and
needs no Typer; the module of a command is imported when that command runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer.core import TyperCommand, TyperGroup

    from cdcctl.errors import CdcctlError

VERSION = "0.1.0"
INTERRUPTED = 130
ORIGINS = "origins"
"""Among a command's defaults: where each of them was read."""
_SUMMARY_COLUMN = 34


@dataclass(frozen=True)
class Entry:
    """One command of the tool: `module` exposes `app`, a Typer; a group names its commands."""

    name: str
    group: str
    summary: str
    subcommands: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Name the module that holds the command."""
        return f"cdcctl.commands.{self.name.replace('-', '_')}"


COMMANDS = (
    Entry("demo", "Start", "the whole pipeline here, with data and a proof"),
    Entry("doctor", "Start", "is the machine or account fit for it"),
    Entry("init", "Config", "a first tables.yaml, also from a database"),
    Entry("validate-config", "Config", "every fault of tables.yaml, offline"),
    Entry("rules", "Config", "rules, transforms, metrics: docs and examples"),
    Entry("schema", "Config", "the JSON Schema of tables.yaml"),
    Entry("compile", "Config", "DDL, DMS settings, topics, catalog entries"),
    Entry("plan", "Deliver", "what a deploy would change"),
    Entry("deploy", "Deliver", "the whole pipeline on AWS, step by step"),
    Entry("bootstrap-db", "Deliver", "the source's tables and columns"),
    Entry("sync-topics", "Deliver", "the topics; tells what has drifted"),
    Entry("sync-catalog", "Deliver", "every lake table for Athena"),
    Entry("seed", "Deliver", "fleet data for the source, bad rows included"),
    Entry("teardown", "Deliver", "remove it, and prove that nothing is left"),
    Entry("start", "Run", "DMS and the job, where they stood"),
    Entry("stop", "Run", "the job and DMS; both go on later"),
    Entry("reload", "Run", "tables loaded again by DMS"),
    Entry("logs", "Run", "what the parts say, merged by time"),
    Entry("status", "Run", "one screen: what runs, how late, what is wrong"),
    Entry(
        "quarantine",
        "Data",
        "refused rows: see why, try again, give up",
        ("show", "inspect", "stats", "export", "replay", "discard"),
    ),
    Entry("metrics", "Data", "data quality of each batch", ("show", "tail", "plot")),
    Entry("history", "Data", "what a row was, from when until when", ("show", "verify", "rebuild")),
    Entry("query", "Data", "a named question or a SELECT"),
    Entry("why", "Data", "every event of one row, and what became of it"),
    Entry(
        "local",
        "Local",
        "the pipeline on this machine",
        ("up", "down", "status", "run", "reset"),
    ),
)

_BY_NAME = {entry.name: entry for entry in COMMANDS}

MOVABLE_VALUES = {
    "-c": "--config",
    "--config": "--config",
    "-o": "--output",
    "--output": "--output",
    "--timeout": "--timeout",
    "--lake": "--lake",
    "--dir": "--dir",
    "-s": "--stack",
    "--stack": "--stack",
    "-r": "--region",
    "--region": "--region",
    "-p": "--profile",
    "--profile": "--profile",
    "--expected-account": "--expected-account",
}
"""Options of commands that may also stand before the command; each takes a value."""

MOVABLE_FLAGS = ("-y", "--yes", "--local", "--dry-run")

GLOBAL_OPTIONS = (
    ("-c, --config FILE", "default config/tables.yaml"),
    ("-o, --output FORMAT", "table, json, jsonl or csv, where data is read"),
    ("-s, --stack NAME", "the stack on AWS; also -r REGION, -p PROFILE"),
    ("-e, --env NAME", "a section [env.NAME] of cdcctl.toml"),
    ("-q, --quiet", "no progress"),
    ("-v, -vv, --log-file FILE", "tell more; keep a log, no secrets in it"),
    ("--no-color", "no colour, as with NO_COLOR=1"),
    ("--no-input", "never ask; exit 10 instead"),
    ("--debug", "print the traceback of an unexpected error"),
    ("--version", "print the version"),
    ("--install-completion", "complete commands and options in this shell"),
    ("-h, --help", "this page, or that of a command"),
)


@dataclass(frozen=True)
class Invocation:
    """A command line with its process-wide switches taken out and early options moved back."""

    arguments: tuple[str, ...]
    color: bool = True
    quiet: bool = False
    interactive: bool = True
    debug: bool = False
    help: bool = False
    version: bool = False
    verbosity: int = 0
    log_file: str | None = None
    environment: str | None = None
    """The section of cdcctl.toml."""
    machine_errors: bool = False
    """Whether errors are printed as JSON, because the output is."""


def help_page() -> str:
    """Show every command in its group, and the global options, on one screen."""
    lines = [
        "cdcctl: one tables.yaml drives PostgreSQL -> DMS -> Kafka -> Glue -> Delta Lake",
        "",
        "Usage: cdcctl [OPTIONS] COMMAND ...",
    ]
    group = ""
    for entry in COMMANDS:
        if entry.group != group:
            group = entry.group
            lines += ["", group]
        usage = f"  {entry.name} {'|'.join(entry.subcommands)}"
        if len(usage) > _SUMMARY_COLUMN - 2:
            lines.append(usage)
            usage = ""
        lines.append(f"{usage:<{_SUMMARY_COLUMN}}{entry.summary}")
    lines += ["", "Options, before or after the command"]
    lines += [f"  {option:<{_SUMMARY_COLUMN - 2}}{meaning}" for option, meaning in GLOBAL_OPTIONS]
    return "\n".join(lines) + "\n"


def parse(arguments: Sequence[str]) -> Invocation:
    """Take process-wide switches out of the line and move early options behind the command."""
    switches: dict[str, bool] = {}
    verbosity = 0
    chosen: dict[str, str] = {}
    path: list[str] = []
    early: list[str] = []
    rest: list[str] = []
    literal: list[str] = []
    pending = list(arguments)
    while pending:
        token = pending.pop(0)
        if token == "--":
            literal = [token, *pending]
            break
        if token == "-h":
            token = "--help"
        name, equals, value = token.partition("=")
        if token in _VERBOSITY:
            verbosity += _VERBOSITY[token]
        elif name in _VALUES and (equals or pending):
            chosen[_VALUES[name]] = value if equals else pending.pop(0)
        elif token in _SWITCHES:
            switches[_SWITCHES[token]] = token not in {"--no-color", "--no-input"}
        elif _is_complete(path):
            rest.append(token)
        elif token in MOVABLE_FLAGS or (token.partition("=")[0] in MOVABLE_VALUES and "=" in token):
            early.append(token)
        elif token in MOVABLE_VALUES:
            early += [token, *pending[:1]]
            del pending[:1]
        elif token == "--help" and not path:
            switches["help"] = True
        elif token == "--version" and not path:
            switches["version"] = True
        elif token.startswith("-"):
            rest.append(token)
        else:
            path.append(token)
    words = (*path, *rest, *early)
    return Invocation(
        arguments=(*words, *literal),
        machine_errors=_output_format(words) in {"json", "jsonl"},
        verbosity=verbosity,
        environment=chosen.get("environment") or os.environ.get("CDCCTL_ENV") or None,
        log_file=chosen.get("log_file"),
        **switches,
    )


_SWITCHES = {
    "-q": "quiet",
    "--quiet": "quiet",
    "--no-color": "color",
    "--no-input": "interactive",
    "--debug": "debug",
}


_VERBOSITY = {"-v": 1, "-vv": 2, "--verbose": 1}
_VALUES = {"-e": "environment", "--env": "environment", "--log-file": "log_file"}


def _is_complete(path: list[str]) -> bool:
    entry = _BY_NAME.get(path[0]) if path else None
    if entry is None:
        return bool(path)
    return len(path) == (2 if entry.subcommands else 1)


def _output_format(words: Sequence[str]) -> str:
    chosen = ""
    for position, word in enumerate(words):
        if word in {"-o", "--output"}:
            chosen = words[position + 1] if position + 1 < len(words) else ""
        elif word.startswith("--output="):
            chosen = word.partition("=")[2]
        elif word.startswith("-o") and not word.startswith("--"):
            chosen = word[2:].removeprefix("=")
    return chosen


def run(arguments: Sequence[str]) -> int:
    """Run one command line; give the exit code. Nothing but this function catches everything."""
    invocation = parse(arguments)
    completing = "_CDCCTL_COMPLETE" in os.environ
    try:
        if invocation.version:
            sys.stdout.write(f"cdcctl {VERSION}\n")
        elif not completing and (invocation.help or not invocation.arguments):
            sys.stdout.write(help_page())
        else:
            return _invoke(invocation)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _invoke(invocation: Invocation) -> int:
    from cdcctl.ui import console

    console.configure(
        color=invocation.color, quiet=invocation.quiet, interactive=invocation.interactive
    )
    # Typer would import rich for every help page and every usage error.
    os.environ["TYPER_USE_RICH"] = "0"
    import typer
    from typer.exceptions import TyperException

    try:
        _open_log(invocation)
        code = _root().main(
            args=list(invocation.arguments),
            prog_name="cdcctl",
            standalone_mode=False,
            default_map=_defaults(invocation),
        )
        if code == INTERRUPTED:
            # Typer turns Ctrl-C into this code when it is not to end the process itself.
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.Abort:
        raise KeyboardInterrupt from None
    except TyperException as error:
        return _report(_usage_error(error), invocation)
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the one boundary: no traceback reaches the operator
        return _report(_expected(error) or _unexpected(error, invocation), invocation)


def _open_log(invocation: Invocation) -> None:
    if invocation.verbosity or invocation.log_file:
        from pathlib import Path

        from cdcctl import logs

        file = None if invocation.log_file is None else Path(invocation.log_file)
        logs.configure(invocation.verbosity, file)


def _defaults(invocation: Invocation) -> dict[str, Any]:
    """Give the defaults of cdcctl.toml to every command and subcommand."""
    from pathlib import Path

    from cdcctl.operations.tool_config import placed_defaults

    found = placed_defaults(Path.cwd(), invocation.environment)
    values = {
        ORIGINS: {name: default.place for name, default in found.items()},
        **{name: default.value for name, default in found.items()},
    }
    return {
        entry.name: {**values, **dict.fromkeys(entry.subcommands, values)} for entry in COMMANDS
    }


def _root() -> Any:
    """Build the root group that Typer and its shell completion work on."""
    import typer
    from typer.core import TyperGroup as Group

    class CommandTable(Group):
        """Finds a command by name and imports its module only then."""

        def list_commands(self, ctx: Any) -> list[str]:
            return [entry.name for entry in COMMANDS]

        def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
            entry = _BY_NAME.get(cmd_name)
            return None if entry is None else load(entry)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            formatter.write(help_page())

    root = typer.Typer(cls=CommandTable, add_completion=True, name="cdcctl")

    @root.callback()
    def cdcctl() -> None:
        """Hold the commands."""

    return typer.main.get_command(root)


def load(entry: Entry) -> Any:
    """Import a command's module and build its command."""
    from importlib import import_module

    import typer

    command = typer.main.get_command(import_module(entry.module).app)
    command.name = entry.name
    # Typer adds the completion options to every app that is not asked to leave them out.
    completion = {"install_completion", "show_completion"}
    command.params = [each for each in command.params if each.name not in completion]
    return command


def _usage_error(error: Any) -> CdcctlError:
    from cdcctl.errors import CdcctlError, ExitCode

    context = getattr(error, "ctx", None)
    what = error.format_message().rstrip(".")
    command = context.command_path if context is not None else "cdcctl"
    if what.startswith("No such command"):
        what = what[0].lower() + what[1:]
        what += _nearest(what.split("'")[1] if "'" in what else "", context)
    return CdcctlError("USE001", what, fix=f"{command} --help", exit_code=ExitCode(error.exit_code))


def _nearest(word: str, context: Any) -> str:
    from difflib import get_close_matches

    known = context.command.list_commands(context) if context is not None else []
    found = get_close_matches(word, known, n=1)
    return f"; did you mean `{found[0]}`?" if found else ""


def _expected(error: Exception) -> CdcctlError | None:
    """Recognise the failures that were raised where they were understood."""
    from cdcctl.errors import CdcctlError, ExitCode
    from glue_job.errors import JobError

    if isinstance(error, CdcctlError):
        return error
    if isinstance(error, JobError):
        of_config = error.code.startswith(("CFG", "LAK01", "LAK041"))
        code = ExitCode.CONFIG if of_config else ExitCode.FAILED
        return CdcctlError(error.code, error.what, error.why, error.fix, code)
    if isinstance(error, ModuleNotFoundError):
        from cdcctl.extras import missing_extra

        return missing_extra(error)
    return None


def _unexpected(error: Exception, invocation: Invocation) -> CdcctlError:
    """Keep the traceback in a file and name it."""
    from cdcctl import crash
    from cdcctl.errors import CdcctlError

    trace = crash.traceback_text(error)
    if invocation.debug:
        sys.stderr.write(trace)
    return CdcctlError(
        "USE999",
        f"unexpected error: {crash.one_line(error)}",
        why="this is a fault of cdcctl, not of your input",
        fix="report it with the log below; `--debug` prints it here",
        log=crash.keep(trace),
    )


def _report(error: CdcctlError, invocation: Invocation) -> int:
    from cdcctl.ui import failure

    failure.show(error, machine=invocation.machine_errors)
    return int(error.exit_code)
