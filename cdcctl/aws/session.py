"""One AWS session: credentials, region, and the one way a call is made."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from cdcctl.aws.errors import translated
from cdcctl.errors import CdcctlError, ExitCode

_MAX_ATTEMPTS = 5
log = logging.getLogger("cdcctl.aws")


class Aws:
    """An account and region; every call goes through `call` or `pages`, from any thread."""

    def __init__(
        self,
        region: str | None = None,
        profile: str | None = None,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 60.0,
        max_attempts: int = _MAX_ATTEMPTS,
    ) -> None:
        self._config = Config(
            retries={"mode": "adaptive", "total_max_attempts": max_attempts},
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            user_agent_extra="cdcctl",
        )
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        # boto3 reads AWS_DEFAULT_REGION alone; the other SDKs and the AWS CLI read this first.
        self._chosen = (region or os.environ.get("AWS_REGION"), profile)
        self._session = self._opened()

    def _opened(self) -> boto3.Session:
        region, profile = self._chosen
        try:
            return boto3.Session(region_name=region, profile_name=profile)
        except (BotoCoreError, ClientError) as error:
            raise translated(error, "sts", "session") from error

    @property
    def sign_in_command(self) -> str:
        """Give the command that signs in again."""
        profile = self._chosen[1] or os.environ.get("AWS_PROFILE")
        return f"aws sso login --profile {profile}" if profile else "aws sso login"

    def renew(self) -> None:
        """Read the credentials anew; raise when they are those of another account."""
        account = self.account
        with self._lock:
            self._session, self._clients = self._opened(), {}
        found = str(self.call("sts", "get_caller_identity")["Account"])
        if found != account:
            raise CdcctlError(
                "AWS009",
                f"the new credentials belong to account {found}",
                why=f"the work was begun in account {account}",
                fix=f"{self.sign_in_command}   to {account}, and run the same command again",
                exit_code=ExitCode.CREDENTIALS,
            )

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one call, `operation` in snake case; raise AwsError when it fails."""
        log.info("%s %s", service, operation)
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise translated(error, service, operation) from error
        return answer

    def pages(
        self, service: str, operation: str, key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Give the items under `key` (or `outer.inner`) of every page of a listing."""
        log.info("%s %s", service, operation)
        try:
            for page in self._client(service).get_paginator(operation).paginate(**parameters):
                held: Any = page
                for part in key.split("."):
                    held = held.get(part) or {}
                yield from held
        except (BotoCoreError, ClientError) as error:
            raise translated(error, service, operation) from error

    @cached_property
    def account(self) -> str:
        """Give the account's twelve digits, as STS tells them."""
        return str(self.call("sts", "get_caller_identity")["Account"])

    @cached_property
    def region(self) -> str:
        """Give the region; raise AwsError when none is chosen."""
        try:
            return str(self._client("sts").meta.region_name)
        except BotoCoreError as error:
            raise translated(error, "sts", "session") from error

    def storage_options(self) -> dict[str, str]:
        """Give the credentials, region and endpoint in the words of Delta's reader."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise translated(NoCredentialsError(), "s3", "get_object")
        try:
            held = credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise translated(error, "s3", "get_object") from error
        endpoint = str(self._client("s3").meta.endpoint_url)
        options = {
            "AWS_ACCESS_KEY_ID": held.access_key or "",
            "AWS_SECRET_ACCESS_KEY": held.secret_key or "",
            "AWS_REGION": self.region,
        }
        if held.token:
            options["AWS_SESSION_TOKEN"] = held.token
        if not endpoint.endswith("amazonaws.com"):
            options["AWS_ENDPOINT_URL"] = endpoint
            options["AWS_ALLOW_HTTP"] = "true"
        return options

    def _client(self, service: str) -> Any:
        # Making a client is not safe in threads; using one is (boto3 guide).
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs list literal names
                    config=self._config,
                )
            return self._clients[service]
