"""What a stack costs: counted from its template, at prices that come with the tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdcctl.compile.decided import decided_resources
from cdcctl.compile.template import render_pipeline
from cdcctl.operations.cost import estimate as counting
from cdcctl.operations.cost.estimate import Estimate, cost_of
from cdcctl.operations.cost.prices import price_list
from cdcctl.ui import cost as view
from glue_job.contract.loader import load_file

CONDITIONS: dict[str, Any] = {
    "IsProd": {"Fn::Equals": [{"Ref": "Profile"}, "prod"]},
    "HasZones": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Zones"}]}, ""]}]},
    "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "HasZones"}]},
    "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "HasZones"}]},
}


def template() -> dict[str, Any]:
    pipeline = load_file(Path("config/tables.yaml")).pipeline
    assert pipeline is not None
    return render_pipeline(pipeline).document


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, set()),
        ({"Profile": "prod"}, {"IsProd", "Either"}),
        ({"Zones": "a,b"}, {"HasZones", "Either"}),
        ({"Profile": "prod", "Zones": "a,b"}, {"IsProd", "HasZones", "Both", "Either"}),
    ],
)
def test_a_resource_is_made_when_its_condition_is_met(
    given: dict[str, str], made: set[str]
) -> None:
    document = {
        "Parameters": {"Profile": {"Default": "dev"}, "Zones": {"Default": ""}},
        "Conditions": CONDITIONS,
        "Resources": {name: {"Condition": name} for name in CONDITIONS},
    }
    assert decided_resources(document, given).keys() == made


def test_what_a_profile_decides_is_counted_and_what_has_no_price_is_named() -> None:
    document = template()
    dev, prod = cost_of(document, {}), cost_of(document, {"Profile": "prod"})
    assert {name: round(usd, 2) for name, usd in dev.parts.items()} == {
        "keys": 2.0,
        "endpoints": 51.1,
        "database": 53.2,
        "secrets": 1.6,
        "brokers": 76.58,
        "DMS": 54.38,
        "job": 160.6,
        "alarms": 0.7,
    }
    assert dev.unpriced == ()
    assert prod.parts["brokers"] == pytest.approx(3 * 0.204 * 730 + 3 * 200 * 0.10)
    assert prod.parts["database"] == pytest.approx(2 * (0.168 * 730 + 200 * 0.115))
    assert prod.unpriced == ("dms.c6i.large",)
    assert dev.daily * 730 == pytest.approx(dev.monthly * 24)


def test_every_price_is_asked_for_and_names_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = set()
    monkeypatch.setattr(counting, "estimate", lambda items: asked.update(i.price for i in items))
    for profile in ("dev", "prod"):
        cost_of(template(), {"Profile": profile})
    # Of what stays after a teardown, which no template tells.
    assert price_list().usd.keys() == asked - {"dms.c6i.large"} | {
        "RDS snapshot GB",
        "S3 storage GB",
    }


def told(monthly: float) -> Estimate:
    return Estimate({"database": monthly}, ("dms.c6i.large",), "us-east-1", "2026-11-28")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (None, "about $ 1,598 a month"),
        (1598.3, "about $ 1,598 a month, as before"),
        (400.2, "about $ 1,598 a month, +1,198 $"),
        (1700.0, "about $ 1,598 a month, -102 $"),
    ],
)
def test_a_month_is_told_with_its_difference(before: float | None, text: str) -> None:
    assert view.a_month(told(1598.0), None if before is None else told(before)) == text


def test_the_basis_says_what_is_left_out_and_that_regions_differ() -> None:
    assert view.basis(told(1.0), "us-east-1")[0] == "list prices of us-east-1, 2026-11-28"
    prices, missing = view.basis(told(1.0), "eu-central-1")
    assert prices == "list prices of us-east-1, 2026-11-28; those of eu-central-1 differ"
    assert missing == ("not counted: dms.c6i.large, traffic, S3, logs, metrics, Lambda, Athena")
