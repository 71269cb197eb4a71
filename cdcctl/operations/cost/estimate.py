"""Counts what a stack bills for, and says what that costs a month, about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws.session import Aws
from cdcctl.compile.decided import decided_resources
from cdcctl.operations.cost.prices import price_list

HOURS = 730.0
"""In a month, as AWS counts."""
USAGE = ("traffic", "S3", "logs", "metrics", "Lambda", "Athena")
"""What is billed by use, which no template tells."""
_DPUS = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
"""Of one worker (Glue developer guide)."""
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """So much of what has a price in one month."""

    part: str
    price: str
    quantity: float


@dataclass(frozen=True)
class Estimate:
    """US dollars a month by part, all of it running all the time, at `region`'s list prices."""

    parts: Mapping[str, float]
    unpriced: tuple[str, ...]
    """What is billed and has no price in the list."""
    region: str
    gathered: str

    @property
    def monthly(self) -> float:
        """Give US dollars a month."""
        return sum(self.parts.values())

    @property
    def daily(self) -> float:
        """Give US dollars a day."""
        return self.monthly * 24 / HOURS

    def as_document(self) -> dict[str, Any]:
        """Give the estimate as plain data."""
        return {
            "monthly_usd": round(self.monthly, 2),
            "daily_usd": round(self.daily, 2),
            "parts": {name: round(usd, 2) for name, usd in self.parts.items()},
            "not_counted": [*self.unpriced, *USAGE],
            "prices": f"list prices of {self.region}, {self.gathered}",
        }


def estimate(items: Iterable[Item]) -> Estimate:
    """Sum up what has a price; name what has none."""
    prices = price_list()
    parts: dict[str, float] = defaultdict(float)
    unpriced = []
    for item in items:
        if not item.quantity:
            continue
        if item.price in prices.usd:
            parts[item.part] += item.quantity * prices.usd[item.price]
        elif item.price not in unpriced:
            unpriced.append(item.price)
    return Estimate(dict(parts), tuple(unpriced), prices.region, prices.gathered)


def cost_of(template: Mapping[str, Any], parameters: Mapping[str, str]) -> Estimate:
    """Estimate what a template makes under these parameters."""
    return estimate(
        item
        for resource in decided_resources(template, parameters).values()
        for item in _COUNTED.get(resource["Type"], _nothing)(resource.get("Properties", {}))
    )


def deployed_cost(aws: Aws, state: cfn.StackState) -> Estimate:
    """Estimate a stack by the template and the parameters it was deployed with."""
    return cost_of(cfn.deployed_template(aws, state.id), state.parameters)


def _nothing(_: Properties) -> Iterator[Item]:
    yield from ()


def _database(of: Properties) -> Iterator[Item]:
    # A standby is billed as its database is.
    copies = 2 if of.get("MultiAZ") else 1
    yield Item("database", of["DBInstanceClass"], HOURS * copies)
    storage = f"RDS {of.get('StorageType', 'gp2')} storage GB"
    yield Item("database", storage, float(of["AllocatedStorage"]) * copies)
    if of.get("ManageMasterUserPassword"):
        yield Item("secrets", "secret", 1)


def _cluster(of: Properties) -> Iterator[Item]:
    brokers, held = int(of["NumberOfBrokerNodes"]), of["BrokerNodeGroupInfo"]
    yield Item("brokers", held["InstanceType"], HOURS * brokers)
    volume = float(held["StorageInfo"]["EBSStorageInfo"]["VolumeSize"])
    yield Item("brokers", "MSK storage GB", volume * brokers)


def _replication_instance(of: Properties) -> Iterator[Item]:
    # Its storage is in the price: 50 GB with a t3, 100 GB with larger ones, which is all we take.
    copies = 2 if of.get("MultiAZ") else 1
    yield Item("DMS", of["ReplicationInstanceClass"], HOURS * copies)


def _endpoint(of: Properties) -> Iterator[Item]:
    # Those for S3 are gateways, which are free.
    if of.get("VpcEndpointType") == "Interface":
        yield Item("endpoints", "endpoint in a zone", HOURS * len(of["SubnetIds"]))


def _job(of: Properties) -> Iterator[Item]:
    worker = of["WorkerType"]
    if worker in _DPUS:
        yield Item("job", "Glue DPU", HOURS * int(of["NumberOfWorkers"]) * _DPUS[worker])
    else:
        yield Item("job", f"worker {worker}", 1)


def _one(part: str, price: str) -> Callable[[Properties], Iterator[Item]]:
    def counted(_: Properties) -> Iterator[Item]:
        yield Item(part, price, 1)

    return counted


_COUNTED: Mapping[str, Callable[[Properties], Iterator[Item]]] = {
    "AWS::RDS::DBInstance": _database,
    "AWS::MSK::Cluster": _cluster,
    "AWS::DMS::ReplicationInstance": _replication_instance,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::Glue::Job": _job,
    "AWS::KMS::Key": _one("keys", "key"),
    "AWS::SecretsManager::Secret": _one("secrets", "secret"),
    "AWS::CloudWatch::Alarm": _one("alarms", "alarm"),
}
