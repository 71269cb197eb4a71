"""Deploys the whole pipeline: each step looks first, acts only if needed, and makes sure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import dms, s3
from cdcctl.aws.errors import AwsError
from cdcctl.compile.changes import ChangeClass, ConfigChange, config_changes
from cdcctl.compile.template import settings_by_api
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import infrastructure, run_control
from cdcctl.operations.catalog_sync import sync_catalog
from cdcctl.operations.compiled_upload import SyncReport
from cdcctl.operations.configuration import LoadedConfig, load_config
from cdcctl.operations.cost.estimate import Estimate, cost_of, deployed_cost
from cdcctl.operations.deploy_choice import Verify
from cdcctl.operations.deploy_lock import locked
from cdcctl.operations.deploy_phases import DeployHeading, beside_the_stack, phases_of
from cdcctl.operations.durations import load_durations
from cdcctl.operations.old_code import prune_code
from cdcctl.operations.package import CODE, Package, package, upload
from cdcctl.operations.plan_file import (
    STEPS,
    ReviewedPlan,
    read_plan,
    refuse_changed,
    write_plan,
)
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.sign_in import signed_in
from cdcctl.operations.source_database import bootstrap_db
from cdcctl.operations.target import Target, TargetChoice, open_target
from cdcctl.operations.topic_sync import sync_topics
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.deploy_watch import DeployWatch
    from cdcctl.ui.progress import Progress

BEGUN = "begun"
"""The status of a step that AWS goes on with after the command has ended."""
_OF_THE_STACK = ("stack_id", "stack_changed_at")
_NEVER_MADE = "ROLLBACK_COMPLETE"


@dataclass(frozen=True)
class DeployRequest:
    """What to deploy, and how far the operator lets it go."""

    config: Path
    target: TargetChoice
    parameters: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[str, ...] = STEPS
    artifacts: Path | None = None
    allow_replace: tuple[str, ...] = ()
    allow_breaking: bool = False
    options: infrastructure.StackOptions = field(default_factory=infrastructure.StackOptions)
    detach: bool = False
    """Let CloudFormation work, and come back at once; the rest is done when it is run again."""
    reviewed: ReviewedPlan | None = None
    """Carry out this plan as it is, or nothing."""
    verify: Verify = Verify.stack
    timeout_seconds: float = 5400.0
    interval_seconds: float = 5.0

    @property
    def waiting(self) -> Waiting:
        """Give how long each wait may take."""
        return Waiting(self.timeout_seconds, self.interval_seconds)


@dataclass(frozen=True)
class Plan:
    """What a deploy would do: stack changes, config changes, and what stands beside the stack."""

    stack: str
    account: str
    region: str
    is_new: bool
    """Whether the stack is to be created."""
    code_hash: str
    config_hash: str
    changes: tuple[dict[str, Any], ...]
    refused: tuple[str, ...]
    """Stateful resources that would be replaced without leave."""
    config_changes: tuple[ConfigChange, ...]
    cost: Estimate
    cost_before: Estimate | None
    """None: there is no stack yet."""
    minutes: tuple[int, int] | None = None
    """Between how many the stack is likely to take; None where that is seconds."""
    beside: tuple[str, ...] = ()
    """The phases that see to what stands beside the stack."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing would change."""
        return not self.changes and not self.config_changes

    @property
    def config_documents(self) -> list[dict[str, str]]:
        """Give the changes of the config as plain data."""
        return [{"class": each.kind.name, "text": each.text} for each in self.config_changes]


@dataclass(frozen=True)
class DeployReport:
    """What each step did."""

    stack: str
    code_hash: str
    config_hash: str
    steps: tuple[StepReport, ...]

    @property
    def changed(self) -> bool:
        """Tell whether a step changed something."""
        return any(step.status in {"done", BEGUN} for step in self.steps)

    @property
    def is_detached(self) -> bool:
        """Tell whether AWS goes on with a step."""
        return any(step.status == BEGUN for step in self.steps)


Confirm = Callable[[Plan], None]


def following(request: DeployRequest, file: Path) -> DeployRequest:
    """Give the request that carries out a reviewed plan; leave given since then adds to it."""
    held = read_plan(file)
    if request.parameters or request.steps != STEPS or request.options != type(request.options)():
        raise CdcctlError(
            "USE036",
            "a plan is carried out as it is",
            why="parameters, steps, tags, role and what becomes of a failure are the plan's",
            fix="give these options to `cdcctl plan --out`",
            exit_code=ExitCode.USAGE,
        )
    return replace(
        request,
        target=replace(request.target, stack=request.target.stack or held.stack),
        parameters=held.parameters,
        steps=tuple(held.steps),
        allow_replace=(*request.allow_replace, *held.allow_replace),
        allow_breaking=request.allow_breaking or held.allow_breaking,
        reviewed=held,
    )


def plan_deploy(
    request: DeployRequest,
    progress: Progress,
    seen: infrastructure.Observe,
    out: Path | None = None,
) -> Plan:
    """Say what a deploy would do; nothing of the pipeline is changed.

    With `out` the change set stays, and the file says for what it was made.
    """
    config, target = load_config(request.config), open_target(request.target)
    packed = package(config, request.artifacts, progress)
    durations = load_durations(target.aws.region)[0]
    following = infrastructure.Following(request.waiting, progress, seen, durations)
    infrastructure.ensure_bootstrap(target, following, request.options)
    upload(packed, target, progress)
    infrastructure.refuse_remains(target)
    change = infrastructure.prepare(target, packed, request.parameters, following, request.options)
    try:
        plan = _plan(request, target, packed, change, config, following)
        if out is not None:
            write_plan(_reviewed(request, target, packed, change, plan), out)
    except BaseException:
        infrastructure.discard(change, target)
        raise
    if out is None:
        infrastructure.discard(change, target)
    return plan


def deploy_pipeline(request: DeployRequest, confirm: Confirm, watch: DeployWatch) -> DeployReport:
    """Deploy; `confirm` is shown the plan and raises when the operator refuses it."""
    config = load_config(request.config)
    if request.verify is Verify.e2e:
        from cdcctl.operations.canary import require_fleet

        require_fleet(config.pipeline)
    target = open_target(request.target)
    watch.begin(
        DeployHeading(target.stack, target.aws.account, target.aws.region, phases_of(request.steps))
    )
    following = _following(request, target, watch)
    done: list[StepReport] = []

    def finish(step: StepReport) -> None:
        done.append(step)
        watch.finished(step)

    watch.phase("preflight")
    state = infrastructure.attached(target, target.stack, following)
    if "infra" in request.steps and infrastructure.is_to_be_created(state):
        from cdcctl.operations.preflight import preflight

        finish(preflight(target, config.pipeline, watch))
    watch.phase("package")
    packed = package(config, request.artifacts, watch)
    if request.reviewed is not None:
        made_for = _made_for(target, packed)
        if _is_carried_out(request.reviewed, target):
            # The stack has moved by the plan itself; what comes after it is gone on with.
            made_for = {name: made_for[name] for name in made_for if name not in _OF_THE_STACK}
        refuse_changed(request.reviewed, made_for)
    changed = infrastructure.ensure_bootstrap(target, following, request.options)
    finish(StepReport("assets bucket", _word(changed), target.names.assets_bucket))
    sent = upload(packed, target, watch)
    finish(StepReport("upload", _word(sent > 0), f"{sent} objects, code {packed.code_hash}"))
    with locked(target):
        if {"infra", "code"} & set(request.steps):
            watch.phase("stack")
            finish(_infra(request, target, packed, config, confirm, watch, following))
            if done[-1].status == BEGUN:
                return DeployReport(target.stack, packed.code_hash, packed.config_hash, tuple(done))
        run_control.require_stack(target)
        for step in _beside_the_stack(request, target, packed, config, watch, following):
            finish(step)
    return DeployReport(target.stack, packed.code_hash, packed.config_hash, tuple(done))


def _following(
    request: DeployRequest, target: Target, watch: DeployWatch
) -> infrastructure.Following:
    durations, warning = load_durations(target.aws.region)
    if warning:
        watch.warn(warning)
    waiting = replace(request.waiting, sign_in=lambda: signed_in(target.aws, watch))
    return infrastructure.Following(waiting, watch, watch.resource, durations)


def _infra(
    request: DeployRequest,
    target: Target,
    packed: Package,
    config: LoadedConfig,
    confirm: Confirm,
    watch: DeployWatch,
    following: infrastructure.Following,
) -> StepReport:
    if request.reviewed is not None and _is_carried_out(request.reviewed, target):
        return StepReport("stack", "unchanged", "the plan was carried out before")
    watch.step("the change set")
    change = _change(request, target, packed, following)
    plan = _plan(request, target, packed, change, config, following)
    watch.planned(plan)
    try:
        _refuse(plan, request)
        if request.detach and change.touches_task:
            raise CdcctlError(
                "CFN033",
                "this change cannot be left alone",
                why="DMS must stand while its task is changed, and be started again afterwards",
                fix=f"cdcctl deploy --stack {target.stack}   without --detach",
            )
        if not plan.is_empty:
            confirm(plan)
    except BaseException:
        if request.reviewed is None:
            infrastructure.discard(change, target)
        raise
    count = len(change.change_set.changes)
    if request.detach and not change.change_set.is_empty:
        cfn.execute_change_set(target.aws, change.change_set)
        return StepReport("stack", BEGUN, f"{count} changes; AWS goes on with them")
    changed = infrastructure.apply(change, target, packed.template, following)
    return StepReport("stack", _word(changed), f"{count} changes" if changed else "")


def _change(
    request: DeployRequest,
    target: Target,
    packed: Package,
    following: infrastructure.Following,
) -> infrastructure.InfraChange:
    """Give the change set: the reviewed one, or one made now."""
    held = request.reviewed
    if held is None:
        return infrastructure.prepare(
            target, packed, request.parameters, following, request.options
        )
    found = cfn.find_change_set(target.aws, held.change_set, held.stack_id)
    refuse_changed(held, {"change_set": held.change_set if found is not None else ""})
    assert found is not None
    change = infrastructure.InfraChange(found, _is_reviewed_only(target))
    refuse_changed(held, {"changes": infrastructure.as_document(change)})
    return change


def _is_carried_out(plan: ReviewedPlan, target: Target) -> bool:
    """Tell whether the stack is what this plan, executed before, made of it."""
    state = cfn.find_stack(target.aws, target.stack)
    return (
        state is not None
        and state.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        and state.parameters.get("CodeHash") == plan.code
        and state.parameters.get("ConfigHash") == plan.config
        and cfn.is_executed(target.aws, plan.change_set, state.id)
    )


def _is_reviewed_only(target: Target) -> bool:
    state = cfn.find_stack(target.aws, target.stack)
    return state is not None and state.status == cfn.REVIEWED


def _made_for(target: Target, packed: Package) -> dict[str, str]:
    """Say what a plan is bound to: place, stack, and what is deployed."""
    state = cfn.find_stack(target.aws, target.stack)
    return {
        "stack": target.stack,
        "account": target.aws.account,
        "region": target.aws.region,
        "code": packed.code_hash,
        "config": packed.config_hash,
        "template": packed.template.sha,
        "stack_id": state.id if state is not None else "",
        "stack_changed_at": state.changed_at.isoformat() if state is not None else "",
    }


def _reviewed(
    request: DeployRequest,
    target: Target,
    packed: Package,
    change: infrastructure.InfraChange,
    plan: Plan,
) -> ReviewedPlan:
    return ReviewedPlan(
        **_made_for(target, packed),
        change_set=change.change_set.id,
        parameters=dict(request.parameters),
        steps=list(request.steps),
        allow_replace=list(request.allow_replace),
        allow_breaking=request.allow_breaking,
        changes=list(plan.changes),
        config_changes=plan.config_documents,
    )


def _beside_the_stack(
    request: DeployRequest,
    target: Target,
    packed: Package,
    config: LoadedConfig,
    watch: DeployWatch,
    following: infrastructure.Following,
) -> Iterator[StepReport]:
    waiting, steps = following.waiting, request.steps

    def synced(report: SyncReport) -> StepReport:
        return StepReport(report.what, _word(report.changed > 0), f"{report.changed} changed")

    if "db" in steps:
        watch.phase("db")
        watch.step("the source's tables")
        yield synced(
            bootstrap_db(target, config, dry_run=False, allow_breaking=request.allow_breaking)
        )
    if "topics" in steps:
        watch.phase("topics")
        watch.step("the topics")
        yield synced(sync_topics(target, config, dry_run=False))
    if "catalog" in steps:
        watch.phase("catalog")
        watch.step("the catalog")
        yield synced(sync_catalog(target, config, dry_run=False))
    if {"start", "code"} & set(steps):
        watch.phase("start")
        if "start" in steps:
            yield _endpoint(target, config, waiting, watch)
            yield run_control.start_dms(target, waiting, watch)
        yield run_control.start_glue(target, waiting, watch, _run_arguments(packed, target))
    watch.phase("verify")
    yield _verified(target, steps)
    if "code" in steps and (removed := _tidied(target, packed, watch)):
        yield StepReport("old code", "done", f"{removed} packages removed")
    if request.verify is Verify.e2e:
        from cdcctl.operations.canary import fly_canary
        from cdcctl.operations.lakes import lake_of_stack

        lake = lake_of_stack(target, config.pipeline)
        yield fly_canary(target, config.pipeline, lake, waiting, watch)


def _tidied(target: Target, packed: Package, watch: DeployWatch) -> int:
    """Remove old packages; what has been deployed runs, whether or not that succeeds."""
    try:
        return prune_code(target, packed.code_hash)
    except AwsError as error:
        watch.warn(f"old packages stay in {target.names.assets_bucket}: {error.why}")
        return 0


def _endpoint(
    target: Target, config: LoadedConfig, waiting: Waiting, progress: Progress
) -> StepReport:
    """Set what CloudFormation cannot, with DMS standing: a running task keeps the old settings."""
    task = run_control.require_task(target)
    wanted = settings_by_api(config.pipeline)
    held = dms.endpoint_settings(target.aws, task.target, "KafkaSettings")
    wrong = {key: value for key, value in wanted.items() if held.get(key) != value}
    if not wrong:
        return StepReport("endpoint settings", "unchanged")
    run_control.stop_dms(target, waiting, progress)
    dms.set_kafka_settings(target.aws, task.target, wrong)
    left = dms.endpoint_settings(target.aws, task.target, "KafkaSettings")
    ignored = [key for key, value in wrong.items() if left.get(key) != value]
    if ignored:
        raise CdcctlError(
            "DMS007",
            f"the Kafka endpoint did not take {', '.join(ignored)}",
            why="dms:ModifyEndpoint answered without an error, and they are not set",
            fix=f"cdcctl doctor --stack {target.stack}",
        )
    return StepReport("endpoint settings", "done", ", ".join(wrong))


def _run_arguments(packed: Package, target: Target) -> dict[str, str]:
    """Name code and config in the run itself, so that what a run works with is always known."""
    bucket = target.names.assets_bucket
    return {
        "--config": f"s3://{bucket}/config/{packed.config_hash}/tables.yaml",
        "--extra-py-files": f"s3://{bucket}/{CODE}{packed.code_hash}/glue_job.zip",
    }


def _verified(target: Target, steps: tuple[str, ...]) -> StepReport:
    state = cfn.find_stack(target.aws, target.stack)
    # After an update that was rolled back the stack is whole, and here nothing had to change.
    if state is None or not state.status.endswith("_COMPLETE") or state.status == _NEVER_MADE:
        raise CdcctlError(
            "CFN023",
            f"the stack {target.stack} is {state.status if state else 'gone'}",
            fix=f"cdcctl deploy --stack {target.stack}",
        )
    if "start" in steps:
        task = dms.find_task(target.aws, target.names.replication_task)
        if task is None or task.status not in dms.RUNNING:
            raise CdcctlError(
                "DMS004",
                "DMS does not run",
                why=task.failure if task else "there is no task",
                fix=f"cdcctl start dms --stack {target.stack}",
            )
    return StepReport("verify", "unchanged", state.status)


def _plan(
    request: DeployRequest,
    target: Target,
    packed: Package,
    change: infrastructure.InfraChange,
    config: LoadedConfig,
    following: infrastructure.Following,
) -> Plan:
    state = cfn.find_stack(target.aws, target.stack)
    refused = tuple(
        each.logical_id for each in change.replaced if each.logical_id not in request.allow_replace
    )
    return Plan(
        target.stack,
        target.aws.account,
        target.aws.region,
        change.is_new,
        packed.code_hash,
        packed.config_hash,
        tuple(infrastructure.as_document(change)),
        refused,
        _config_changes(target, state, config),
        cost_of(
            packed.template.document, infrastructure.wanted_parameters(state, request.parameters)
        ),
        None if state is None or change.is_new else deployed_cost(target.aws, state),
        infrastructure.likely_minutes(change, packed.template, following.durations),
        beside_the_stack(request.steps),
    )


def _config_changes(
    target: Target, state: cfn.StackState | None, config: LoadedConfig
) -> tuple[ConfigChange, ...]:
    from glue_job.contract.loader import load

    deployed = state.parameters.get("ConfigHash") if state is not None else None
    if deployed is None:
        return ()
    name = f"config/{deployed}/tables.yaml"
    body = s3.read(target.aws, target.names.assets_bucket, name)
    old = None if body is None else load(body.decode("utf-8"), name).pipeline
    return () if old is None else config_changes(old, config.pipeline)


def _refuse(plan: Plan, request: DeployRequest) -> None:
    breaking = [c for c in plan.config_changes if c.kind is ChangeClass.breaking]
    if breaking and not request.allow_breaking:
        raise CdcctlError(
            "CFG060",
            f"tables.yaml changes what a running pipeline cannot follow: {breaking[0].text}",
            why="; ".join(change.text for change in breaking),
            fix=f"{breaking[0].recipe} (--allow-breaking goes on all the same)",
            exit_code=ExitCode.CONFIG,
        )
    if plan.refused:
        raise CdcctlError(
            "CFN030",
            f"the update would make {', '.join(plan.refused)} anew",
            why="what they hold would be lost",
            fix=f"--allow-replace {plan.refused[0]}   when that is what you want",
            exit_code=ExitCode.CONFIRM,
        )


def _word(changed: bool) -> str:
    return "done" if changed else "unchanged"
