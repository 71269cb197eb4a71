"""Whether an account may use a region: some are off until somebody enables them."""

from __future__ import annotations

from collections.abc import Callable

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.doctor.check import Check, Probe
from cdcctl.operations.target import Target, TargetChoice

_AREA = "account"
_ALWAYS_ON = "us-east-1"
_OFF = "not-opted-in"


def probe(target: Target) -> Probe:
    """Give the check of the region."""
    return Probe(_AREA, "region", lambda: _region(target))


def _region(target: Target) -> Check:
    region = target.aws.region
    status = _status(target.aws, region)
    if status is None:
        return Check(_AREA, "region", "fail", f"AWS knows no region {region}", "--region NAME")
    if status == _OFF:
        return Check(_AREA, "region", "fail", f"{region} is not enabled", _enable(region))
    return Check(_AREA, "region", "pass", f"{region} is enabled ({status})")


def explained(
    refusal: CdcctlError,
    choice: TargetChoice,
    open_aws: Callable[[str | None, str | None], Aws] = Aws,
) -> CdcctlError:
    """Give the cause of refused credentials where it is the region: AWS itself does not say so."""
    if refusal.exit_code != ExitCode.CREDENTIALS:
        return refusal
    try:
        region = open_aws(choice.region, choice.profile).region
        status = _status(open_aws(_ALWAYS_ON, choice.profile), region)
    except AwsError:
        return refusal
    if status != _OFF:
        return refusal
    return CdcctlError(
        "AWS012",
        f"the region {region} is not enabled for this account",
        why=refusal.why,
        fix=_enable(region),
        exit_code=ExitCode.CREDENTIALS,
    )


def _enable(region: str) -> str:
    return f"aws account enable-region --region-name {region}   or choose another with --region"


def _status(aws: Aws, region: str) -> str | None:
    """Give the account's standing in a region; None when AWS has none of this name."""
    named = {"Name": "region-name", "Values": [region]}
    answer = aws.call("ec2", "describe_regions", AllRegions=True, Filters=[named])
    found = [each for each in answer["Regions"] if each["RegionName"] == region]
    return str(found[0]["OptInStatus"]) if found else None
