"""A template with every type that the pipeline needs, small enough to read."""

from __future__ import annotations

import json
from typing import Any

ROLE = {"Fn::GetAtt": ["Role", "Arn"]}
SUBNETS = [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
CIDR = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "10.0.0.0/16"}
BROKERS_LAMBDA = """
import json, urllib.request, boto3

def handler(event, context):
    status, data, reason = "SUCCESS", {}, ""
    try:
        if event["RequestType"] != "Delete":
            arn = event["ResourceProperties"]["ClusterArn"]
            answer = boto3.client("kafka").get_bootstrap_brokers(ClusterArn=arn)
            data = {"BootstrapServers": answer["BootstrapBrokerStringSaslScram"]}
    except Exception as error:
        status, reason = "FAILED", str(error)
    body = {"Status": status, "Reason": reason, "PhysicalResourceId": "brokers", "Data": data}
    body |= {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT")
    answer.add_header("content-type", "")
    urllib.request.urlopen(answer)
"""


def _resource(kind: str, /, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def _get(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def _network() -> dict[str, Any]:
    group = {"GroupDescription": "g", "VpcId": _ref("Vpc")}
    in_vpc = {"VpcId": _ref("Vpc")}
    return {
        "Vpc": _resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16", EnableDnsSupport=True),
        "SubnetA": _resource("AWS::EC2::Subnet", CidrBlock="10.0.0.0/24", **in_vpc),
        "SubnetB": _resource("AWS::EC2::Subnet", CidrBlock="10.0.1.0/24", **in_vpc),
        "Routes": _resource("AWS::EC2::RouteTable", **in_vpc),
        "RouteOfA": _resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            SubnetId=_ref("SubnetA"),
            RouteTableId=_ref("Routes"),
        ),
        "S3Door": _resource(
            "AWS::EC2::VPCEndpoint",
            ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"},
            RouteTableIds=[_ref("Routes")],
            **in_vpc,
        ),
        "SecretsDoor": _resource(
            "AWS::EC2::VPCEndpoint",
            ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.secretsmanager"},
            VpcEndpointType="Interface",
            SubnetIds=SUBNETS,
            SecurityGroupIds=[_get("Group", "GroupId")],
            PrivateDnsEnabled=True,
            **in_vpc,
        ),
        "Group": _resource("AWS::EC2::SecurityGroup", **group),
        "OtherGroup": _resource("AWS::EC2::SecurityGroup", **group),
        "Ingress": _resource(
            "AWS::EC2::SecurityGroupIngress",
            GroupId=_get("Group", "GroupId"),
            IpProtocol="tcp",
            FromPort=9096,
            ToPort=9096,
            SourceSecurityGroupId=_get("OtherGroup", "GroupId"),
        ),
        "Egress": _resource(
            "AWS::EC2::SecurityGroupEgress", GroupId=_get("Group", "GroupId"), **CIDR
        ),
        "FlowLog": _resource("AWS::EC2::FlowLog", ResourceId=_ref("Vpc"), ResourceType="VPC"),
    }


def _keys_and_secrets() -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": []}
    return {
        "Key": _resource("AWS::KMS::Key", KeyPolicy=policy, EnableKeyRotation=True),
        "Alias": _resource(
            "AWS::KMS::Alias",
            AliasName={"Fn::Sub": "alias/${AWS::StackName}"},
            TargetKeyId=_ref("Key"),
        ),
        "Secret": _resource(
            "AWS::SecretsManager::Secret",
            Name={"Fn::Sub": "AmazonMSK_${AWS::StackName}_scram"},
            KmsKeyId=_ref("Key"),
            GenerateSecretString={
                "SecretStringTemplate": '{"username": "job"}',
                "GenerateStringKey": "password",
                "ExcludePunctuation": True,
            },
        ),
        "SecretPolicy": _resource(
            "AWS::SecretsManager::ResourcePolicy",
            SecretId=_ref("Secret"),
            ResourcePolicy=policy,
        ),
    }


def _sources() -> dict[str, Any]:
    name = {"Fn::Sub": "${AWS::StackName}-db"}
    return {
        "DbSubnets": _resource(
            "AWS::RDS::DBSubnetGroup", DBSubnetGroupDescription="d", SubnetIds=SUBNETS
        ),
        "DbParameters": _resource(
            "AWS::RDS::DBParameterGroup",
            Family="postgres16",
            Description="d",
            Parameters={"rds.logical_replication": "1"},
        ),
        "DbInstance": {
            **_resource(
                "AWS::RDS::DBInstance",
                DBInstanceIdentifier=name,
                DBInstanceClass="db.t4g.micro",
                Engine="postgres",
                EngineVersion="16.9",
                AllocatedStorage="20",
                MasterUsername="app",
                ManageMasterUserPassword=True,
                DBSubnetGroupName=_ref("DbSubnets"),
                DBParameterGroupName=_ref("DbParameters"),
                VPCSecurityGroups=[_get("Group", "GroupId")],
            ),
            "DeletionPolicy": "Delete",
        },
    }


def _brokers() -> dict[str, Any]:
    return {
        "BrokerSettings": _resource(
            "AWS::MSK::Configuration",
            Name={"Fn::Sub": "${AWS::StackName}-config"},
            ServerProperties="auto.create.topics.enable=false",
        ),
        "MskCluster": _resource(
            "AWS::MSK::Cluster",
            ClusterName={"Fn::Sub": "${AWS::StackName}-msk"},
            KafkaVersion="3.9.x",
            NumberOfBrokerNodes=2,
            BrokerNodeGroupInfo={"ClientSubnets": SUBNETS, "InstanceType": "kafka.t3.small"},
            ClientAuthentication={"Sasl": {"Scram": {"Enabled": True}}},
            ConfigurationInfo={
                "Arn": _get("BrokerSettings", "Arn"),
                "Revision": _get("BrokerSettings", "LatestRevision.Revision"),
            },
        ),
        "Scram": _resource(
            "AWS::MSK::BatchScramSecret",
            ClusterArn=_ref("MskCluster"),
            SecretArnList=[_ref("Secret")],
        ),
        "BrokerPolicy": _resource(
            "AWS::MSK::ClusterPolicy", ClusterArn=_ref("MskCluster"), Policy={"Statement": []}
        ),
        "BrokersFunction": _resource(
            "AWS::Lambda::Function",
            Runtime="python3.13",
            Handler="index.handler",
            Role=ROLE,
            Code={"ZipFile": BROKERS_LAMBDA},
            VpcConfig={"SubnetIds": SUBNETS, "SecurityGroupIds": [_get("Group", "GroupId")]},
        ),
        "MskBootstrapServers": _resource(
            "Custom::MSKBootstrapServers",
            ServiceToken=_get("BrokersFunction", "Arn"),
            ClusterArn=_ref("MskCluster"),
        ),
    }


def _replication(mappings: str) -> dict[str, Any]:
    def endpoint(side: str, engine: str, **settings: Any) -> dict[str, Any]:
        return _resource(
            "AWS::DMS::Endpoint",
            EndpointIdentifier={"Fn::Sub": f"${{AWS::StackName}}-{side}"},
            EndpointType=side,
            EngineName=engine,
            **settings,
        )

    brokers = _get("MskBootstrapServers", "BootstrapServers")
    return {
        "DmsSubnets": _resource(
            "AWS::DMS::ReplicationSubnetGroup",
            ReplicationSubnetGroupDescription="d",
            SubnetIds=SUBNETS,
        ),
        "ReplicationInstance": _resource(
            "AWS::DMS::ReplicationInstance",
            ReplicationInstanceClass="dms.t3.medium",
            AllocatedStorage=50,
            ReplicationSubnetGroupIdentifier=_ref("DmsSubnets"),
            VpcSecurityGroupIds=[_get("Group", "GroupId")],
        ),
        "SourceEndpoint": endpoint(
            "source",
            "postgres",
            ServerName=_get("DbInstance", "Endpoint.Address"),
            Port=_get("DbInstance", "Endpoint.Port"),
            DatabaseName="app",
        ),
        "TargetEndpoint": endpoint(
            "target", "kafka", KafkaSettings={"Broker": brokers, "Topic": "cdc"}
        ),
        "ReplicationTask": _resource(
            "AWS::DMS::ReplicationTask",
            ReplicationTaskIdentifier={"Fn::Sub": "${AWS::StackName}-task"},
            MigrationType="full-load-and-cdc",
            ReplicationInstanceArn=_ref("ReplicationInstance"),
            SourceEndpointArn=_ref("SourceEndpoint"),
            TargetEndpointArn=_ref("TargetEndpoint"),
            TableMappings=mappings,
        ),
    }


def _job(code: str) -> dict[str, Any]:
    return {
        "Role": _resource(
            "AWS::IAM::Role",
            AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": []},
            Policies=[
                {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
            ],
        ),
        "GlueDatabase": _resource(
            "AWS::Glue::Database",
            CatalogId=_ref("AWS::AccountId"),
            DatabaseInput={"Name": {"Fn::Sub": "${AWS::StackName}_db"}},
        ),
        "GlueConnection": _resource(
            "AWS::Glue::Connection",
            CatalogId=_ref("AWS::AccountId"),
            ConnectionInput={
                "Name": {"Fn::Sub": "${AWS::StackName}-network"},
                "ConnectionType": "NETWORK",
                "ConnectionProperties": {},
                "PhysicalConnectionRequirements": {"SubnetId": _ref("SubnetA")},
            },
        ),
        "GlueSecurity": _resource(
            "AWS::Glue::SecurityConfiguration",
            Name={"Fn::Sub": "${AWS::StackName}-security"},
            EncryptionConfiguration={"S3Encryptions": [{"S3EncryptionMode": "SSE-S3"}]},
        ),
        "GlueJob": _resource(
            "AWS::Glue::Job",
            Name={"Fn::Sub": "${AWS::StackName}-cdc"},
            Role=ROLE,
            Command={"Name": "gluestreaming", "ScriptLocation": f"s3://assets/code/{code}/main.py"},
            Connections={"Connections": [_ref("GlueConnection")]},
            SecurityConfiguration=_ref("GlueSecurity"),
            DefaultArguments={"--config": "s3://assets/config/tables.yaml"},
            GlueVersion="5.1",
            WorkerType="G.1X",
            NumberOfWorkers=2,
        ),
    }


def _watch() -> dict[str, Any]:
    bucket = {"Fn::Sub": "${AWS::StackName}-delta-${AWS::AccountId}"}
    return {
        "DeltaBucket": _resource(
            "AWS::S3::Bucket",
            BucketName=bucket,
            VersioningConfiguration={"Status": "Enabled"},
            PublicAccessBlockConfiguration={"BlockPublicAcls": True},
        ),
        "DeltaPolicy": _resource(
            "AWS::S3::BucketPolicy",
            Bucket=_ref("DeltaBucket"),
            PolicyDocument={"Version": "2012-10-17", "Statement": []},
        ),
        "AlertTopic": _resource("AWS::SNS::Topic", KmsMasterKeyId=_ref("Key")),
        "AlertTopicPolicy": _resource(
            "AWS::SNS::TopicPolicy",
            Topics=[_ref("AlertTopic")],
            PolicyDocument={"Version": "2012-10-17", "Statement": []},
        ),
        "Logs": _resource("AWS::Logs::LogGroup", RetentionInDays=30),
        "Alarm": _resource(
            "AWS::CloudWatch::Alarm",
            Namespace="AWS/DMS",
            MetricName="CDCLatencySource",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            Threshold=60,
            Statistic="Maximum",
            AlarmActions=[_ref("AlertTopic")],
        ),
        "Rule": _resource(
            "AWS::Events::Rule",
            EventPattern={"source": ["aws.dms"]},
            Targets=[{"Arn": _ref("AlertTopic"), "Id": "alert"}],
        ),
        "Permission": _resource(
            "AWS::Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName=_ref("BrokersFunction"),
            Principal="events.amazonaws.com",
        ),
    }


def template(mappings: str = '{"rules": []}', code: str = "0" * 16) -> str:
    """Give the template as JSON; two of its values may be changed in place."""
    outputs = {
        "ReplicationTaskArn": _ref("ReplicationTask"),
        "BootstrapServers": _get("MskBootstrapServers", "BootstrapServers"),
        "JobSecretArn": _ref("Secret"),
        "DbSecretArn": _get("DbInstance", "MasterUserSecret.SecretArn"),
        "DbEndpoint": _get("DbInstance", "Endpoint.Address"),
        "DbPort": _get("DbInstance", "Endpoint.Port"),
        "GlueJobName": _ref("GlueJob"),
        "VpcId": _ref("Vpc"),
        "SubnetId": _ref("SubnetA"),
        "DeltaBucket": _ref("DeltaBucket"),
    }
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": {
                **_network(),
                **_keys_and_secrets(),
                **_sources(),
                **_brokers(),
                **_replication(mappings),
                **_job(code),
                **_watch(),
            },
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
    )
