"""The options that `plan` and `deploy` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    ArtifactsOption,
    ConfigOption,
    ExpectedAccountOption,
    ProfileOption,
    RegionOption,
    StackOption,
)
from cdcctl.commands.stack_options import with_shared_options
from cdcctl.operations.deploy_choice import OnFailure
from cdcctl.operations.target import TargetChoice


def with_deploy_request(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a deploy, and hand it their request as `request`."""
    return with_shared_options(command, _request, "request")


def _request(
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="K=V",
            help="Profile, AlertEmail, AvailabilityZones or DatabaseCa; repeatable.",
        ),
    ] = None,
    email: Annotated[str | None, typer.Option("--email", help="Who is told of alarms.")] = None,
    rds_ca: Annotated[
        Path | None,
        typer.Option(
            "--rds-ca",
            metavar="FILE",
            dir_okay=False,
            exists=True,
            help="RDS's certificates for the region (PEM): the source's own is verified with them.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="STEPS", help="infra,code,db,topics,catalog,start."),
    ] = None,
    skip: Annotated[
        str | None, typer.Option("--skip", metavar="STEPS", help="Steps to leave out.")
    ] = None,
    allow_replace: Annotated[
        list[str] | None,
        typer.Option("--allow-replace", metavar="ID", help="A stateful resource; repeatable."),
    ] = None,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Go on where the config breaks with history.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Whether DMS and the job run afterwards.")
    ] = True,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="K=V", help="On all that the stack makes; repeatable."),
    ] = None,
    role_arn: Annotated[
        str | None, typer.Option("--role-arn", help="The role that CloudFormation takes.")
    ] = None,
    on_failure: Annotated[
        OnFailure | None,
        typer.Option("--on-failure", help="What becomes of a stack that cannot be created."),
    ] = None,
    wait_timeout: Annotated[
        str, typer.Option("--wait-timeout", metavar="SPAN", help="How long each wait may take.")
    ] = "90m",
    artifacts: ArtifactsOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    expected_account: ExpectedAccountOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> object:
    from cdcctl.operations.deploy import DeployRequest
    from cdcctl.operations.infrastructure import StackOptions
    from cdcctl.operations.plan_file import STEPS
    from cdcctl.operations.rds_certificates import root_certificate

    parameters = dict(_pair(text) for text in param or ())
    if email is not None:
        parameters["AlertEmail"] = email
    if rds_ca is not None:
        parameters["DatabaseCa"] = root_certificate(rds_ca)
    wanted = _steps(only, "--only", STEPS) or STEPS
    left = (*_steps(skip, "--skip", STEPS), *(() if start else ("start",)))
    return DeployRequest(
        config=config,
        target=TargetChoice(stack, region, profile, expected_account),
        parameters=parameters,
        steps=tuple(step for step in wanted if step not in left),
        artifacts=artifacts,
        allow_replace=tuple(allow_replace or ()),
        allow_breaking=allow_breaking,
        options=StackOptions(dict(_tag(text) for text in tag or ()), role_arn, on_failure),
        timeout_seconds=_seconds(wait_timeout),
    )


def _pair(text: str) -> tuple[str, str]:
    from cdcctl.operations.infrastructure import KEPT

    name, equals, value = text.partition("=")
    if not equals or name not in KEPT:
        raise typer.BadParameter(
            f"`{text}` is not one of {', '.join(KEPT)} with a value", param_hint="--param"
        )
    return name, value


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or name.lower().startswith("aws:"):
        raise typer.BadParameter(
            f"`{text}` is not NAME=VALUE (names beginning with aws: are AWS's own)",
            param_hint="--tag",
        )
    return name, value


def _steps(text: str | None, option: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(filter(None, (part.strip() for part in (text or "").split(","))))
    for step in found:
        if step not in known:
            raise typer.BadParameter(
                f"there is no step `{step}`; steps are {', '.join(known)}", param_hint=option
            )
    return found


def _seconds(text: str) -> float:
    from datetime import UTC, datetime

    from cdcctl.operations.moments import moment

    now = datetime.now(UTC)
    try:
        return (now - moment(text, now)).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--wait-timeout") from None
