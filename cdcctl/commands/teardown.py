"""`cdcctl teardown`: a pipeline removed, and proof that nothing is left."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.interruption import killed_as_interrupted
from cdcctl.commands.options import DryRunOption, OutputOption
from cdcctl.commands.stack_options import on_stack
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.target import TargetChoice
from cdcctl.operations.teardown_choice import Retain
from cdcctl.ui import console, output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl teardown --stack demo --dry-run\n\n"
    "What AWS does not delete: cdcctl teardown --stack demo --retain none --abandon MskCluster"
)
@on_stack
def teardown(
    retain: Annotated[
        Retain | None,
        typer.Option("--retain", help="What stays; off a terminal the default is data."),
    ] = None,
    confirmed: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME", help="The stack's name, in place of typing it."),
    ] = None,
    disable_protection: Annotated[
        bool, typer.Option("--disable-protection", help="Also a protected stack.")
    ] = False,
    final_snapshot: Annotated[
        bool | None,
        typer.Option(
            "--final-snapshot/--no-final-snapshot",
            help="Whether the database leaves one; by default unless --retain none.",
            show_default=False,
        ),
    ] = None,
    abandon: Annotated[
        list[str] | None,
        typer.Option(
            "--abandon",
            metavar="ID",
            help="Leave this resource behind if AWS does not delete it: it bills on; repeatable.",
        ),
    ] = None,
    protected: Annotated[
        bool,
        typer.Option("--protected", help="Refuse, as `protected = true` in cdcctl.toml does."),
    ] = False,
    dry_run: DryRunOption = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Stop waiting after SECONDS.")
    ] = 5400.0,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Stop and remove a pipeline; exit 9 with a list when something is left. `-y` is not enough."""
    from cdcctl.operations.inventory import Inventory
    from cdcctl.operations.teardown import Stays, TeardownRequest
    from cdcctl.operations.teardown import teardown as remove
    from cdcctl.ui import deploy as stack_view
    from cdcctl.ui import teardown as view

    def agree(before: Inventory, stays: Stays) -> None:
        view.show_inventory(before, stays)
        typed = confirmed
        if typed is None and console.may_ask():
            typed = typer.prompt(f"Type {before.stack} to remove it", default="", err=True)
        if typed != before.stack:
            raise CdcctlError(
                "TDN001",
                "nothing was removed: the stack's name was not given"
                if not typed
                else f"nothing was removed: `{typed}` is not {before.stack}",
                fix=f"cdcctl teardown --stack {before.stack} --confirm {before.stack}",
                exit_code=ExitCode.CONFIRM,
            )

    if retain is None and console.may_ask() and not dry_run and confirmed is None:
        retain = typer.prompt(
            f"What stays ({', '.join(Retain)})?", default="data", value_proc=_retain, err=True
        )
    request = TeardownRequest(
        choice,
        retain or Retain.data,
        disable_protection,
        dry_run,
        timeout,
        final_snapshot,
        protected,
        tuple(abandon or ()),
    )
    try:
        with killed_as_interrupted(), open_progress(beats=True) as progress:

            def agree_in_peace(before: Inventory, stays: Stays) -> None:
                with progress.paused():
                    agree(before, stays)

            report = remove(request, agree_in_peace, progress, stack_view.say_event)
    except KeyboardInterrupt:
        stack_view.say_detached(f"cdcctl teardown --stack {choice.stack}   does the rest")
        raise
    output.write(
        view.teardown_document(report),
        output_format,
        lambda: view.show_teardown(report, dry_run=dry_run),
    )
    if report.left:
        raise typer.Exit(ExitCode.PARTIAL)


def _retain(answer: str) -> Retain:
    """Take what stays; another answer is asked for again."""
    if answer not in list(Retain):
        raise typer.BadParameter(f"`{answer}` is none of {', '.join(Retain)}")
    return Retain(answer)
