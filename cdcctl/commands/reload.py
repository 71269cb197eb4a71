"""`cdcctl reload`: tables loaded again by DMS, and what a load has not brought closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.confirmation import confirm
from cdcctl.commands.lake_options import reads_lake, since_moment
from cdcctl.commands.options import ArtifactsOption, DryRunOption, OutputOption, YesOption
from cdcctl.commands.repairs import TimeoutOption
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config, require_table
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.target import open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress
from glue_job.requests import Load

if TYPE_CHECKING:
    from cdcctl.aws.dms import TableLoad
    from cdcctl.operations.repair import RepairRequest
    from cdcctl.operations.run_control import StepReport
    from cdcctl.operations.target import Target
    from cdcctl.operations.waiting import Waiting

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl reload vehicles drivers --stack demo. With what is gone at the source: "
    "cdcctl reload vehicles --close-missing --stack demo"
)
@reads_lake
def reload(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Source tables.", autocompletion=completion.tables),
    ],
    close: Annotated[
        bool,
        typer.Option(
            "--close-missing", help="Afterwards close the keys that the load has not brought."
        ),
    ] = False,
    most_share: Annotated[
        float,
        typer.Option(
            "--max-share", min=0.0, max=1.0, help="Close at most this share of a table's keys."
        ),
    ] = 0.1,
    load_began: Annotated[
        str | None,
        typer.Option(
            "--load-began",
            metavar="TIME",
            help="Load nothing: close by the load that began then, such as 2h or an ISO 8601 time.",
        ),
    ] = None,
    load_rows: Annotated[
        int | None, typer.Option("--load-rows", min=0, help="How many rows that load read.")
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    timeout: TimeoutOption = 3600.0,
    artifacts: ArtifactsOption = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Have DMS load tables again; rows gone at the source stay, unless --close-missing."""
    from cdcctl.operations.repair import RepairRequest
    from cdcctl.operations.waiting import Waiting
    from cdcctl.ui import deploy as view

    pipeline = load_config(where.config).pipeline
    for table in tables:
        require_table(table, pipeline)
    began = since_moment(load_began)
    is_known = began is not None and load_rows is not None
    if (began is None) != (load_rows is None) or (is_known and not close):
        raise CdcctlError(
            "USE013",
            "--load-began and --load-rows go together, with --close-missing",
            fix="cdcctl reload TABLE --close-missing --load-began TIME --load-rows N",
            exit_code=ExitCode.USAGE,
        )
    if where.is_on_this_machine and not is_known:
        raise CdcctlError(
            "USE014",
            "no DMS loads a table into a lake on this machine",
            why="its keys can be closed by a load that it has had",
            fix="cdcctl reload TABLE --close-missing --load-began TIME --load-rows N",
            exit_code=ExitCode.USAGE,
        )
    steps: list[StepReport] = []
    waiting = Waiting(timeout)
    if began is not None and load_rows is not None:
        loads = dict.fromkeys(tables, Load(began, load_rows, most_share))
        waiting = Waiting(0)
    else:
        from cdcctl.operations import reload as operation
        from cdcctl.operations.run_control import require_stack

        target = open_target(where.target)
        require_stack(target)
        schema = pipeline.source_database.schema_name
        step, last = _load(
            target, schema, tables, waiting if close else None, yes=yes, dry_run=dry_run
        )
        steps.append(step)
        loads = {
            name: operation.as_load(target, name, load, most_share)
            for name, load in last.items()
            if close
        }
    for name, load in loads.items():
        request = RepairRequest(
            lake=where,
            kind="close",
            table=name,
            load=load,
            timeout_seconds=timeout,
            artifacts=artifacts,
        )
        steps.append(_close(request, waiting, yes=yes, dry_run=dry_run))
    output.write(view.steps_document(steps), output_format, lambda: view.show_steps(steps))


def _load(
    target: Target,
    schema: str,
    tables: list[str],
    waiting: Waiting | None,
    *,
    yes: bool,
    dry_run: bool,
) -> tuple[StepReport, dict[str, TableLoad]]:
    """Have DMS load tables, once confirmed; give their newest loads, awaited if `waiting` is."""
    from cdcctl.operations import reload as operation
    from cdcctl.operations.run_control import StepReport

    last = operation.last_loads(target, schema, tables)
    told = ", ".join(f"{name} ({load.rows:,} rows when last loaded)" for name, load in last.items())
    if dry_run:
        return StepReport("reload", "skipped", told), last
    confirm(
        f"Load {told} again? Every row passes the pipeline once more; equal rows change"
        " nothing, others open a version.",
        yes=yes,
        code="DMS020",
        what="a reload needs a confirmation",
        fix=f"cdcctl reload {' '.join(tables)} ... --yes",
    )
    step = operation.reload(target, schema, tables)
    if waiting is not None:
        with open_progress(beats=True) as progress:
            last = operation.reloaded(target, schema, last, waiting, progress)
    return step, last


def _close(request: RepairRequest, waiting: Waiting, *, yes: bool, dry_run: bool) -> StepReport:
    """Close the keys that a table's load has not brought, once counted and confirmed."""
    from cdcctl.operations.reload import count_missing
    from cdcctl.operations.repair import repair
    from cdcctl.operations.run_control import StepReport

    name = request.table
    with open_progress(beats=True) as progress:
        counts = count_missing(request, waiting, progress).counts
    found = f"{counts['missing']:,} of {counts['current']:,} keys"
    if dry_run or not counts["missing"]:
        status = "skipped" if counts["missing"] else "unchanged"
        return StepReport(f"close {name}", status, f"the load lacks {found}")
    confirm(
        f"Close {found} of {name}? The load has not brought them.",
        yes=yes,
        code="LAK073",
        what=f"closing {found} of {name} needs a confirmation",
        fix=f"cdcctl reload {name} --close-missing ... --yes, or --dry-run to count them",
    )
    with open_progress(beats=True) as progress:
        done = repair(request, progress).counts
    return StepReport(f"close {name}", "done", f"{done['closed']:,} keys closed")
