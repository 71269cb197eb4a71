"""A custom resource: the SCRAM addresses of the brokers, which CloudFormation cannot read."""

import boto3
from respond import FAILED, SUCCESS, respond


def handler(event, context):
    """Answer CloudFormation, whatever happens: a silent resource holds a stack for an hour."""
    cluster = event["ResourceProperties"]["ClusterArn"]
    # The same id for ever: another one would make CloudFormation delete "the old resource".
    identity = f"bootstrap-servers/{cluster}"
    try:
        data = {} if event["RequestType"] == "Delete" else {"BootstrapServers": _servers(cluster)}
    except Exception as error:
        respond(event, FAILED, identity, reason=f"{type(error).__name__}: {error}")
        raise
    respond(event, SUCCESS, identity, data=data)


def _servers(cluster):
    answer = boto3.client("kafka").get_bootstrap_brokers(ClusterArn=cluster)
    servers = answer.get("BootstrapBrokerStringSaslScram")
    if not servers:
        raise LookupError(f"the cluster {cluster} has no SASL/SCRAM brokers")
    # Their order changes from call to call; a changed value would update what uses it.
    return ",".join(sorted(servers.split(",")))
