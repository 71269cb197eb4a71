"""CloudFormation: the types that ministack lacks, and those where it is kinder than AWS."""

from __future__ import annotations

import io
import json
import re
import secrets
import sys
import uuid
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import cloudformation, ec2, glue, lambda_svc, msk, rds, s3
from ministack.services import secretsmanager as secrets_manager
from ministack.services.cloudformation import engine, helpers, provisioners, stacks

from tests.fakeaws import dms
from tests.fakeaws.msk import make_users, policies
from tests.fakeaws.refusal import Answer, Refusal
from tests.fakeaws.settings import failure, pass_minutes, setting

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]
Handler = dict[str, Any]

generic = AccountRegionScopedDict()
STORES = (generic,)

MINUTES = {
    "AWS::MSK::Cluster": 25.0,
    "AWS::RDS::DBInstance": 8.0,
    "AWS::DMS::ReplicationInstance": 5.0,
    "AWS::EC2::NatGateway": 2.0,
}
"""How long the slow types take on AWS, about."""

_BLOCKING = {*MINUTES, "AWS::MSK::BatchScramSecret"}
"""Types that wait for something, and must not hold the server's loop."""

_REPLACED_BY = {
    "AWS::MSK::Cluster": ("ClusterName", "EncryptionInfo"),
    "AWS::MSK::Configuration": ("Name", "KafkaVersionsList"),
    "AWS::MSK::ClusterPolicy": ("ClusterArn",),
    "AWS::MSK::BatchScramSecret": ("ClusterArn",),
    "AWS::DMS::ReplicationSubnetGroup": ("ReplicationSubnetGroupIdentifier",),
    "AWS::DMS::ReplicationInstance": (
        "AvailabilityZone",
        "KmsKeyId",
        "PubliclyAccessible",
        "ReplicationSubnetGroupIdentifier",
    ),
    "AWS::DMS::Endpoint": ("KmsKeyId",),
    "AWS::DMS::ReplicationTask": (
        "ReplicationInstanceArn",
        "SourceEndpointArn",
        "TargetEndpointArn",
    ),
    "AWS::Glue::SecurityConfiguration": ("Name", "EncryptionConfiguration"),
    "AWS::EC2::VPC": ("CidrBlock",),
    "AWS::EC2::Subnet": ("AvailabilityZone", "CidrBlock", "VpcId"),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::EC2::VPCEndpoint": ("ServiceName", "VpcEndpointType", "VpcId"),
    "AWS::KMS::Key": (),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::Events::Rule": ("EventBusName", "Name"),
    "AWS::SNS::TopicPolicy": (),
    "AWS::IAM::Policy": ("PolicyName",),
    "AWS::EC2::SecurityGroupIngress": ("GroupId", "CidrIp", "SourceSecurityGroupId", "IpProtocol"),
    "AWS::EC2::SecurityGroupEgress": (
        "GroupId",
        "CidrIp",
        "DestinationSecurityGroupId",
        "IpProtocol",
    ),
}
"""Properties whose change replaces the resource, as CloudFormation's reference has them."""


def _checked(response: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, body = response
    if status >= 300:
        raise ValueError(body.decode()[:400])
    document: dict[str, Any] = json.loads(body or b"{}")
    return document


def _named(properties: Properties, field: str, stack: str, logical_id: str) -> str:
    return str(properties.get(field) or f"{stack}-{logical_id}-{uuid.uuid4().hex[:8]}".lower())


# MSK


def _booleans(value: Any) -> Any:
    """Turn the texts that a template may have for numbers and truth into what the API has."""
    match value:
        case dict():
            return {key: _booleans(item) for key, item in value.items()}
        case list():
            return [_booleans(item) for item in value]
        case "true" | "false":
            return value == "true"
        case str() if re.fullmatch(r"\d+", value):
            return int(value)
        case _:
            return value


def _cluster_request(properties: Properties) -> dict[str, Any]:
    given = {k: v for k, v in properties.items() if k != "Tags"}
    request: dict[str, Any] = msk._camelize(_booleans(given))
    request["kafkaVersion"] = str(properties["KafkaVersion"])
    request["tags"] = properties.get("Tags") or {}
    return request


def _create_cluster(logical_id: str, properties: Properties, stack: str) -> Made:
    brokers = int(properties["NumberOfBrokerNodes"])
    subnets = len(properties["BrokerNodeGroupInfo"]["ClientSubnets"])
    if brokers % subnets:
        raise ValueError(
            "The number of broker nodes must be a multiple of Availability Zones in the"
            f" ClientSubnets parameter: {brokers}, {subnets}. (Service: Kafka, Status Code: 400)"
        )
    body = json.dumps(_cluster_request(properties)).encode()
    arn = _checked(msk._create_cluster(body))["clusterArn"]
    return arn, {"Arn": arn}


def _update_cluster(arn: str, old: Properties, new: Properties, stack: str) -> Made:
    request = _cluster_request(new)
    cluster = msk._clusters[arn]
    for name in ("brokerNodeGroupInfo", "clientAuthentication", "loggingInfo", "openMonitoring"):
        if name in request:
            cluster[name[0].upper() + name[1:]] = request[name]
    cluster["NumberOfBrokerNodes"] = request["numberOfBrokerNodes"]
    cluster["CurrentBrokerSoftwareInfo"] = {
        "KafkaVersion": request["kafkaVersion"],
        "ConfigurationArn": request.get("configurationInfo", {}).get("arn"),
        "ConfigurationRevision": request.get("configurationInfo", {}).get("revision"),
    }
    return arn, {"Arn": arn}


def _create_configuration(logical_id: str, properties: Properties, stack: str) -> Made:
    request = {
        "name": properties["Name"],
        "serverProperties": properties["ServerProperties"],
        "kafkaVersions": properties.get("KafkaVersionsList", []),
        "description": properties.get("Description", ""),
    }
    arn = _checked(msk._create_configuration(json.dumps(request).encode()))["arn"]
    return arn, _configuration_attributes(arn)


def _configuration_attributes(arn: str) -> dict[str, Any]:
    latest = msk._configurations[arn]["LatestRevision"]
    return {"Arn": arn, **{f"LatestRevision.{name}": value for name, value in latest.items()}}


def _update_configuration(arn: str, old: Properties, new: Properties, stack: str) -> Made:
    revisions = msk._config_revisions[arn]
    revision = {
        **revisions[-1],
        "Revision": len(revisions) + 1,
        "ServerProperties": new["ServerProperties"],
    }
    revisions.append(revision)
    shown = ("CreationTime", "Description", "Revision")
    msk._configurations[arn]["LatestRevision"] = {name: revision[name] for name in shown}
    return arn, _configuration_attributes(arn)


def _delete_configuration(arn: str, properties: Properties) -> None:
    msk._configurations.pop(arn, None)
    msk._config_revisions.pop(arn, None)


def _associate_secrets(logical_id: str, properties: Properties, stack: str) -> Made:
    arn = properties["ClusterArn"]
    for secret in properties.get("SecretArnList") or ():
        name = secret.split(":secret:")[-1]
        if not name.startswith("AmazonMSK_"):
            raise ValueError(
                f"The provided secret has an invalid name: {name}. (Service: Kafka, Code: 400)"
            )
    msk._scram_secrets[arn] = list(properties.get("SecretArnList") or ())
    if setting("kafka_admin"):
        make_users([_secret_value(secret) for secret in msk._scram_secrets[arn]])
    return arn, {}


def _secret_value(secret: str) -> dict[str, str]:
    record = secrets_manager._secrets[_secret_name(secret)]
    current = next(v for v in record["Versions"].values() if "AWSCURRENT" in v["Stages"])
    login: dict[str, str] = json.loads(current["SecretString"])
    return login


def _dissociate_secrets(arn: str, properties: Properties) -> None:
    msk._scram_secrets.pop(arn, None)


def _put_cluster_policy(logical_id: str, properties: Properties, stack: str) -> Made:
    policy = properties["Policy"]
    text = policy if isinstance(policy, str) else json.dumps(policy)
    policies[properties["ClusterArn"]] = text
    return properties["ClusterArn"], {"CurrentVersion": "1"}


# DMS


def _dms(operation: str, **request: Any) -> Answer:
    return dms.OPERATIONS[operation](_booleans_of_dms(request))


def _booleans_of_dms(request: dict[str, Any]) -> dict[str, Any]:
    """Keep the JSON texts as they are; a template's other texts may stand for numbers."""
    as_text = {"TableMappings", "ReplicationTaskSettings", "EngineVersion"}
    return {k: v if k in as_text else _booleans(v) for k, v in request.items()}


def _create_subnet_group(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _named(properties, "ReplicationSubnetGroupIdentifier", stack, logical_id)
    request = {**properties, "ReplicationSubnetGroupIdentifier": name}
    group = _dms("CreateReplicationSubnetGroup", **request)["ReplicationSubnetGroup"]
    return group["ReplicationSubnetGroupIdentifier"], {}


def _update_subnet_group(name: str, old: Properties, new: Properties, stack: str) -> Made:
    request = {**new, "ReplicationSubnetGroupIdentifier": name}
    _dms("ModifyReplicationSubnetGroup", **request)
    return name, {}


def _create_instance(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _named(properties, "ReplicationInstanceIdentifier", stack, logical_id)
    request = {**properties, "ReplicationInstanceIdentifier": name}
    made = _dms("CreateReplicationInstance", **request)["ReplicationInstance"]
    addresses = ",".join(made["ReplicationInstancePrivateIpAddresses"])
    return made["ReplicationInstanceArn"], {"ReplicationInstancePrivateIpAddresses": addresses}


def _update_instance(arn: str, old: Properties, new: Properties, stack: str) -> Made:
    _dms("ModifyReplicationInstance", **{**new, "ReplicationInstanceArn": arn})
    return arn, {"ReplicationInstancePrivateIpAddresses": "10.0.0.10"}


_API_NAMES = {"PostgreSqlSettings": "PostgreSQLSettings", "SaslUserName": "SaslUsername"}
"""Where CloudFormation spells a setting otherwise than DMS."""


def _as_api(properties: Any) -> Any:
    if not isinstance(properties, dict):
        return properties
    return {_API_NAMES.get(name, name): _as_api(value) for name, value in properties.items()}


def _create_endpoint(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _named(properties, "EndpointIdentifier", stack, logical_id)
    request = {**_as_api(properties), "EndpointIdentifier": name}
    made = _dms("CreateEndpoint", **request)["Endpoint"]
    return made["EndpointArn"], {"ExternalId": ""}


def _update_endpoint(arn: str, old: Properties, new: Properties, stack: str) -> Made:
    _dms("ModifyEndpoint", **{**_as_api(new), "EndpointArn": arn})
    return arn, {"ExternalId": ""}


def _create_task(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _named(properties, "ReplicationTaskIdentifier", stack, logical_id)
    request = {**properties, "ReplicationTaskIdentifier": name}
    made = _dms("CreateReplicationTask", **request)["ReplicationTask"]
    return made["ReplicationTaskArn"], {}


def _update_task(arn: str, old: Properties, new: Properties, stack: str) -> Made:
    changed = {k: v for k, v in new.items() if v != old.get(k)}
    _dms("ModifyReplicationTask", **{**changed, "ReplicationTaskArn": arn})
    return arn, {}


def _dms_deletion(operation: str, key: str) -> Callable[[str, Properties], None]:
    def delete(physical_id: str, properties: Properties) -> None:
        try:
            _dms(operation, **{key: physical_id})
        except Refusal as refusal:
            if refusal.code != "ResourceNotFoundFault":
                raise

    return delete


# EC2


def _rule_handler(store_key: str) -> Handler:
    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        group = ec2._security_groups[properties["GroupId"]]
        rule = {k: v for k, v in properties.items() if k != "GroupId"}
        rule_id = f"sgr-{uuid.uuid4().hex[:17]}"
        for permission in provisioners._ec2_sg_permissions([rule]):
            group[store_key].append({**permission, "_rule": rule_id})
        return rule_id, {"Id": rule_id}

    def delete(rule_id: str, properties: Properties) -> None:
        group = ec2._security_groups.get(properties.get("GroupId", ""))
        if group is not None:
            kept = [rule for rule in group[store_key] if rule.get("_rule") != rule_id]
            group[store_key] = kept

    return {"create": create, "delete": delete}


def _asked_ec2(call: Callable[..., Any], **parameters: str) -> str:
    body: bytes = call({name: [value] for name, value in parameters.items()})[2]
    return body.decode()


def _between(xml: str, tag: str) -> str:
    found = re.search(rf"<{tag}>([^<]+)</{tag}>", xml)
    if found is None:
        raise ValueError(f"EC2 gave no {tag}")
    return found[1]


def _create_address(logical_id: str, properties: Properties, stack: str) -> Made:
    xml = _asked_ec2(ec2._allocate_address, Domain="vpc")
    allocation = {"AllocationId": _between(xml, "allocationId")}
    address = _between(xml, "publicIp")
    return address, {**allocation, "PublicIp": address}


def _create_nat_gateway(logical_id: str, properties: Properties, stack: str) -> Made:
    xml = _asked_ec2(
        ec2._create_nat_gateway,
        SubnetId=properties["SubnetId"],
        AllocationId=properties.get("AllocationId", ""),
    )
    gateway = _between(xml, "natGatewayId")
    return gateway, {"NatGatewayId": gateway}


def _delete_nat_gateway(gateway: str, properties: Properties) -> None:
    ec2._delete_nat_gateway({"NatGatewayId": [gateway]})


def _generic(prefix: str) -> Handler:
    """Keep a resource's properties and nothing else: no call of cdcctl looks at it."""

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        name = f"{prefix}-{uuid.uuid4().hex[:17]}"
        generic[name] = dict(properties)
        return name, {
            "Id": name,
            "Arn": f"arn:aws:{prefix}:{get_region()}:{get_account_id()}:{name}",
        }

    def update(name: str, old: Properties, new: Properties, stack: str) -> Made:
        generic[name] = dict(new)
        return name, {"Id": name}

    def delete(name: str, properties: Properties) -> None:
        generic.pop(name, None)

    return {"create": create, "update": update, "delete": delete}


# Glue, Secrets Manager


def _create_security_configuration(logical_id: str, properties: Properties, stack: str) -> Made:
    name = _named(properties, "Name", stack, logical_id)
    _checked(glue._create_security_configuration({**properties, "Name": name}))
    return name, {}


def _put_secret_policy(logical_id: str, properties: Properties, stack: str) -> Made:
    policy = properties["ResourcePolicy"]
    text = policy if isinstance(policy, str) else json.dumps(policy)
    request = {"SecretId": properties["SecretId"], "ResourcePolicy": text}
    _checked(secrets_manager._put_resource_policy(request))
    return properties["SecretId"], {}


def _delete_secret_policy(secret: str, properties: Properties) -> None:
    secrets_manager._delete_resource_policy({"SecretId": secret})


def _kept_as_it_is(physical_id: str, properties: Properties) -> None:
    """Delete nothing: the resource goes with what it belongs to."""


_LACKING: dict[str, Handler] = {
    "AWS::MSK::Configuration": {
        "create": _create_configuration,
        "update": _update_configuration,
        "delete": _delete_configuration,
    },
    "AWS::MSK::Cluster": {
        "create": _create_cluster,
        "update": _update_cluster,
        "delete": lambda arn, properties: msk._delete_cluster(arn),
    },
    "AWS::MSK::BatchScramSecret": {
        "create": _associate_secrets,
        "update": lambda arn, old, new, stack: _associate_secrets("", new, stack),
        "delete": _dissociate_secrets,
    },
    "AWS::MSK::ClusterPolicy": {
        "create": _put_cluster_policy,
        "update": lambda arn, old, new, stack: _put_cluster_policy("", new, stack),
        "delete": lambda arn, properties: policies.pop(arn, None),
    },
    "AWS::DMS::ReplicationSubnetGroup": {
        "create": _create_subnet_group,
        "update": _update_subnet_group,
        "delete": _dms_deletion("DeleteReplicationSubnetGroup", "ReplicationSubnetGroupIdentifier"),
    },
    "AWS::DMS::ReplicationInstance": {
        "create": _create_instance,
        "update": _update_instance,
        "delete": _dms_deletion("DeleteReplicationInstance", "ReplicationInstanceArn"),
    },
    "AWS::DMS::Endpoint": {
        "create": _create_endpoint,
        "update": _update_endpoint,
        "delete": _dms_deletion("DeleteEndpoint", "EndpointArn"),
    },
    "AWS::DMS::ReplicationTask": {
        "create": _create_task,
        "update": _update_task,
        "delete": _dms_deletion("DeleteReplicationTask", "ReplicationTaskArn"),
    },
    "AWS::DMS::EventSubscription": _generic("dms-es"),
    "AWS::DMS::Certificate": _generic("dms-cert"),
    "AWS::EC2::SecurityGroupIngress": _rule_handler("IpPermissions"),
    "AWS::EC2::SecurityGroupEgress": _rule_handler("IpPermissionsEgress"),
    "AWS::EC2::EIP": {"create": _create_address, "delete": _kept_as_it_is},
    "AWS::EC2::NatGateway": {"create": _create_nat_gateway, "delete": _delete_nat_gateway},
    "AWS::EC2::FlowLog": _generic("fl"),
    "AWS::Glue::SecurityConfiguration": {
        "create": _create_security_configuration,
        "delete": lambda name, properties: glue._security_configs.pop(name, None),
    },
    "AWS::SecretsManager::ResourcePolicy": {
        "create": _put_secret_policy,
        "update": lambda name, old, new, stack: _put_secret_policy("", new, stack),
        "delete": _delete_secret_policy,
    },
    "AWS::SecretsManager::RotationSchedule": _generic("rotation"),
    "AWS::CloudWatch::CompositeAlarm": _generic("alarm"),
    "AWS::Budgets::Budget": _generic("budget"),
}


# Where ministack is kinder than AWS


def _create_secret(logical_id: str, properties: Properties, stack: str) -> Made:
    """Make a secret whose Ref is its ARN, as CloudFormation's reference says."""
    _, attributes = provisioners._sm_secret_create(logical_id, properties, stack)
    return attributes["Id"], attributes


def _secret_name(secret: str) -> str:
    """Give the name under which ministack keeps a secret, from an ARN or a name."""
    for name, record in secrets_manager._secrets.items():
        if secret in (name, record["ARN"]):
            return str(name)
    return secret


def _update_secret(
    secret: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
) -> Made:
    name = _secret_name(secret)
    _, attributes = provisioners._sm_secret_update(name, old, new, stack, logical_id)
    record = secrets_manager._secrets.get(new.get("Name") or name)
    arn = record["ARN"] if record else secret
    return arn, {**attributes, "Id": arn, "Arn": arn}


def _delete_secret(secret: str, properties: Properties) -> None:
    provisioners._sm_secret_delete(_secret_name(secret), properties)


def _delete_bucket(bucket: str, properties: Properties) -> None:
    """Refuse a bucket that holds anything, a version or a delete marker included."""
    status, _, _ = s3._delete_bucket(bucket)
    if status == 409:
        raise ValueError(
            'Resource handler returned message: "The bucket you tried to delete is not empty. You'
            ' must delete all versions in the bucket. (Service: S3, Status Code: 409)"'
            " (HandlerErrorCode: GeneralServiceException)"
        )


def _as_stack_database(name: str, properties: Properties) -> dict[str, Any]:
    """Give a database the address of the real one, and the secret that RDS would manage."""
    instance = rds._instances[name]
    if setting("rds_host"):
        instance["Endpoint"]["Address"] = setting("rds_host")
    if setting("rds_port"):
        instance["Endpoint"]["Port"] = int(setting("rds_port"))
    attributes: dict[str, Any] = provisioners._rds_db_instance_attrs(instance)
    if str(properties.get("ManageMasterUserPassword", "")).lower() == "true":
        if "MasterUserSecret" not in instance:
            instance["MasterUserSecret"] = _managed_secret(instance, properties)
        attributes["MasterUserSecret.SecretArn"] = instance["MasterUserSecret"]["SecretArn"]
    return attributes


def _managed_secret(instance: dict[str, Any], properties: Properties) -> dict[str, Any]:
    password = setting("rds_password") or secrets.token_urlsafe(20)
    username = setting("rds_username") or instance["MasterUsername"]
    login = {"username": username, "password": password}
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId")
    made = {
        "Name": f"rds!db-{uuid.uuid4()}",
        "SecretString": json.dumps(login),
        "KmsKeyId": key,
    }
    _, attributes = provisioners._sm_secret_create("", made, "")
    return {"SecretArn": attributes["Arn"], "SecretStatus": "active", "KmsKeyId": key or ""}


def _create_database(logical_id: str, properties: Properties, stack: str) -> Made:
    name, _ = provisioners._rds_db_instance_create(logical_id, properties, stack)
    return name, _as_stack_database(name, properties)


def _update_database(
    database: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
) -> Made:
    name, _ = provisioners._rds_db_instance_update(database, old, new, stack, logical_id)
    return name, _as_stack_database(name, new)


def _delete_database(database: str, properties: Properties) -> None:
    instance = rds._instances.get(database)
    if instance is None:
        return
    if str(instance.get("DeletionProtection", "")).lower() == "true":
        raise ValueError(
            "Cannot delete protected DB Instance, please disable deletion protection and try"
            " again. (Service: Rds, Status Code: 400)"
        )
    provisioners._rds_db_instance_delete(database, properties)
    managed = instance.get("MasterUserSecret")
    if managed:
        _delete_secret(managed["SecretArn"], {})


def _database_xml(instance: dict[str, Any]) -> str:
    """Tell of the managed secret, which ministack tells for clusters only."""
    # RDS leaves out what ministack writes as an empty element.
    xml: str = _ministack_database_xml(instance).replace("<ReplicaMode></ReplicaMode>", "")
    managed = instance.get("MasterUserSecret")
    if not managed:
        return xml
    members = "".join(f"<{name}>{value}</{name}>" for name, value in managed.items() if value)
    return f"{xml}<MasterUserSecret>{members}</MasterUserSecret>"


_ministack_database_xml = rds._instance_xml


def _refuse_while_used(field: str, what: str) -> Callable[[str], None]:
    def check(physical_id: str) -> None:
        for interface in ec2._network_interfaces.values():
            held = [interface.get(field), *(g["GroupId"] for g in interface["Groups"])]
            if physical_id in held:
                raise ValueError(
                    f"The {what} '{physical_id}' has dependencies and cannot be deleted."
                    " (Service: Ec2, Status Code: 400, Error Code: DependencyViolation)"
                )

    return check


_IN_USE = {
    "AWS::EC2::Subnet": _refuse_while_used("SubnetId", "subnet"),
    "AWS::EC2::SecurityGroup": _refuse_while_used("GroupId", "resource"),
    "AWS::EC2::VPC": _refuse_while_used("VpcId", "vpc"),
}


def _with_local_environment(properties: Properties) -> Properties:
    """Set variables that the template has to what the local servers need."""
    given = (properties.get("Environment") or {}).get("Variables") or {}
    local = {name: value for name, value in setting("lambda_env").items() if name in given}
    return {**properties, "Environment": {"Variables": {**given, **local}}} if local else properties


def _create_function(logical_id: str, properties: Properties, stack: str) -> Made:
    made: Made = provisioners._lambda_create(logical_id, _with_local_environment(properties), stack)
    return made


def _update_function(
    function: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
) -> Made:
    made: Made = provisioners._lambda_update(
        function, old, _with_local_environment(new), stack, logical_id
    )
    return made


def _delete_function(function: str, properties: Properties) -> None:
    """Delete a function; its network interfaces may stay for a while, as on AWS."""
    _ministack_delete_function(function, properties)
    network = properties.get("VpcConfig") or {}
    if setting("lambda_interfaces"):
        for subnet in network.get("SubnetIds") or ():
            groups = network.get("SecurityGroupIds") or []
            members = {f"SecurityGroupId.{n}": [g] for n, g in enumerate(groups, 1)}
            description = f"AWS Lambda VPC ENI-{function}-{uuid.uuid4()}"
            ec2._create_network_interface(
                {"SubnetId": [subnet], "Description": [description], **members}
            )


_ministack_delete_function = provisioners._lambda_delete


_ABI = re.compile(r"\.cpython-(\d+)-[\w-]+\.so$")


def _create_layer(logical_id: str, properties: Properties, stack: str) -> Made:
    """Publish a layer without the packages that this Python cannot load: it has its own."""
    made: Made = provisioners._lambda_layer_create(logical_id, properties, stack)
    arn = made[0]
    name, version = arn.split(":")[-2:]
    for published in lambda_svc._layers[name]["versions"]:
        if str(published["Version"]) == version and published["_zip_data"]:
            published["_zip_data"] = _loadable(published["_zip_data"])
    return made


def _loadable(archive: bytes) -> bytes:
    own = f"{sys.version_info.major}{sys.version_info.minor}"
    with zipfile.ZipFile(io.BytesIO(archive)) as given:
        compiled = [(entry, _ABI.search(entry)) for entry in given.namelist()]
        foreign = {entry.split("/")[1] for entry, abi in compiled if abi and abi[1] != own}
        if not foreign:
            return archive
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as layer:
            for entry in given.infolist():
                parts = entry.filename.split("/")
                if len(parts) < 2 or parts[1] not in foreign:
                    layer.writestr(entry, given.read(entry))
    return kept.getvalue()


def _described_interfaces(parameters: dict[str, Any]) -> Any:
    """Describe network interfaces by filter; ministack gives them all."""
    ids = set(ec2._parse_member_list(parameters, "NetworkInterfaceId"))
    filters = _filters(parameters)
    found = [
        interface
        for interface in ec2._network_interfaces.values()
        if (not ids or interface["NetworkInterfaceId"] in ids)
        and all(_fits(interface, name, values) for name, values in filters.items())
    ]
    items = "".join(ec2._eni_fields_xml(interface) for interface in found)
    body = f"<networkInterfaceSet>{items}</networkInterfaceSet>"
    return ec2._xml(200, "DescribeNetworkInterfacesResponse", body)


def _filters(parameters: dict[str, Any]) -> dict[str, list[str]]:
    filters = {}
    number = 1
    while name := ec2._p(parameters, f"Filter.{number}.Name"):
        filters[name] = ec2._parse_member_list(parameters, f"Filter.{number}.Value")
        number += 1
    return filters


def _fits(interface: dict[str, Any], name: str, values: list[str]) -> bool:
    field = {
        "vpc-id": "VpcId",
        "subnet-id": "SubnetId",
        "status": "Status",
        "description": "Description",
        "network-interface-id": "NetworkInterfaceId",
        "interface-type": "InterfaceType",
        "requester-id": "RequesterId",
    }.get(name)
    if name == "group-id":
        held = [group["GroupId"] for group in interface["Groups"]]
    elif field is None:
        return True
    else:
        held = [str(interface.get(field, ""))]
    patterns = [re.escape(value).replace(r"\*", ".*").replace(r"\?", ".") for value in values]
    return any(re.fullmatch(pattern, one) for pattern in patterns for one in held)


_STRICTER: dict[str, Handler] = {
    "AWS::S3::Bucket": {"delete": _delete_bucket},
    "AWS::SecretsManager::Secret": {
        "create": _create_secret,
        "update": _update_secret,
        "delete": _delete_secret,
    },
    "AWS::RDS::DBInstance": {
        "create": _create_database,
        "update": _update_database,
        "delete": _delete_database,
    },
    "AWS::Lambda::Function": {
        "create": _create_function,
        "update": _update_function,
        "delete": _delete_function,
    },
    "AWS::Lambda::LayerVersion": {"create": _create_layer},
}


def _resolved_document(params: Any, body_key: str, url_key: str, label: str) -> Any:
    """Take a template's address in the form with the bucket in the host name too."""
    given = params.get(url_key)
    url = (given[0] if isinstance(given, list) else given) or ""
    address = urlsplit(url)
    bucket = re.fullmatch(r"([^.]+)\.s3[.-].*amazonaws\.com", address.hostname or "")
    if bucket:
        path = f"https://s3.amazonaws.com/{bucket[1]}{address.path}"
        params = {**params, url_key: [path]}
    return _ministack_resolve(params, body_key, url_key, label)


_ministack_resolve = helpers._resolve_document


def _joined(value: Any, parameters: dict[str, Any]) -> Any:
    """Work out each Fn::Join, which ministack leaves as it is in a condition."""
    match value:
        case {"Fn::Join": [separator, items]}:
            match _joined(items, parameters):
                case {"Ref": name} if name in parameters:
                    parts = str(parameters[name]["Value"]).split(",")
                case parts:
                    parts = [
                        str(parameters[part["Ref"]]["Value"]) if isinstance(part, dict) else part
                        for part in parts
                    ]
            return separator.join(part.strip() for part in parts)
        case dict():
            return {key: _joined(item, parameters) for key, item in value.items()}
        case list():
            return [_joined(item, parameters) for item in value]
        case _:
            return value


def _evaluated_conditions(template: Any, parameters: Any) -> Any:
    conditions = _joined(template.get("Conditions", {}), parameters)
    return _ministack_conditions({**template, "Conditions": conditions}, parameters)


_ministack_conditions = engine._evaluate_conditions


_NOT_UPDATED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}
"""States that a stack leaves by its deletion, or by the end of its rollback."""


def _change_set(parameters: dict[str, Any]) -> Any:
    """Refuse an update of a stack that cannot be updated, as CreateChangeSet does on AWS."""
    stack = cloudformation._stacks.get(helpers._p(parameters, "StackName"))
    kind = helpers._p(parameters, "ChangeSetType", "UPDATE")
    status = stack["StackStatus"] if stack else ""
    if kind == "UPDATE" and (status in _NOT_UPDATED or status.endswith("_IN_PROGRESS")):
        message = f"Stack:{stack['StackId']} is in {status} state and can not be updated."
        return helpers._error("ValidationError", message)
    return _ministack_change_set(parameters)


_ministack_change_set = cloudformation._ACTION_HANDLERS["CreateChangeSet"]


def _described_stacks(parameters: dict[str, Any]) -> Any:
    """Have a stack come into a state that a test has set; no call of AWS brings it there."""
    name = helpers._p(parameters, "StackName")
    status = failure(f"status:{name}")
    if status:
        cloudformation._stacks[name]["StackStatus"] = status
    return _ministack_described(parameters)


_ministack_described = cloudformation._ACTION_HANDLERS["DescribeStacks"]


def _failing(kind: str, handler: Handler) -> Handler:
    """Let a type take its time and fail on demand, and turn a service's refusal into a reason."""

    def attempt(action: str, logical_id: str, work: Callable[[], Any]) -> Any:
        prefix = "" if action == "create" else f"{action}:"
        reason = failure(f"{prefix}{logical_id}", f"{prefix}{kind}")
        if action != "update":
            pass_minutes(MINUTES.get(kind, 0))
        if reason:
            raise ValueError(reason)
        try:
            return work()
        except Refusal as refusal:
            service = kind.split("::")[1]
            raise ValueError(
                f"{refusal.message} (Service: {service}, Error Code: {refusal.code})"
            ) from refusal

    def create(logical_id: str, properties: Properties, stack: str) -> Any:
        work = handler["create"]
        return attempt("create", logical_id, lambda: work(logical_id, properties, stack))

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str = ""
    ) -> Any:
        more = (logical_id,) if handler.get("update_with_logical_id") else ()
        work = handler["update"]
        return attempt("update", logical_id, lambda: work(physical_id, old, new, stack, *more))

    def delete(physical_id: str, properties: Properties, logical_id: str = "") -> Any:
        def work() -> Any:
            if kind in _IN_USE:
                _IN_USE[kind](physical_id)
            more = (logical_id,) if handler.get("delete_with_logical_id") else ()
            return handler["delete"](physical_id, properties, *more)

        return attempt("delete", logical_id, work)

    wrapped = {**handler, "create": create}
    if "update" in handler:
        wrapped.update(update=update, update_with_logical_id=True)
    if "delete" in handler:
        wrapped.update(delete=delete, delete_with_logical_id=True)
    return wrapped


def _failing_custom(work: Callable[..., Any], action: str) -> Callable[..., Any]:
    """Let a custom resource fail on demand, before its Lambda is called."""

    def attempt(*arguments: Any, **named: Any) -> Any:
        logical_id = named.get("logical_id") or (arguments[0] if action == "create" else "")
        prefix = "" if action == "create" else f"{action}:"
        reason = failure(f"{prefix}{logical_id}")
        if reason:
            raise ValueError(reason)
        return work(*arguments, **named)

    return attempt


def install() -> None:
    """Put the types and the stricter ways into ministack."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers.update(_LACKING)
    for kind, stricter in _STRICTER.items():
        handlers[kind] = {**handlers[kind], **stricter}
    for kind in ("AWS::S3::Bucket", "AWS::RDS::DBInstance"):
        handlers[kind].pop("delete_with_logical_id", None)
    for kind, handler in list(handlers.items()):
        if "create" in handler:
            handlers[kind] = _failing(kind, handler)
    for action in ("create", "update", "delete"):
        name = f"_custom_resource_{action}"
        setattr(provisioners, name, _failing_custom(getattr(provisioners, name), action))
    for kind, names in _REPLACED_BY.items():
        provisioners._REPLACING_PROPERTIES.setdefault(kind, names)
    takes_a_worker = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in _BLOCKING or takes_a_worker(kind)
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack.") and hasattr(module, "_evaluate_conditions"):
            module._evaluate_conditions = _evaluated_conditions  # type: ignore[attr-defined]
    cloudformation._ACTION_HANDLERS["CreateChangeSet"] = _change_set
    cloudformation._ACTION_HANDLERS["DescribeStacks"] = _described_stacks
    helpers._resolve_document = _resolved_document
    rds._instance_xml = _database_xml
    ec2._ACTION_MAP["DescribeNetworkInterfaces"] = _described_interfaces
