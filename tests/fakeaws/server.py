"""The server process: `python -m tests.fakeaws.server PORT`, in the environment of venv.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import threading
import time
from typing import Any

_HOST = "127.0.0.1"


def _prepare(port: str) -> None:
    """Set what ministack reads when it is imported."""
    os.environ.update(
        GATEWAY_PORT=port,
        BIND_HOST=_HOST,
        MINISTACK_HOST=_HOST,
        AWS_ENDPOINT_URL=f"http://{_HOST}:{port}",
        LAMBDA_EXECUTOR="local",
        SFTP_ENABLED="false",
        IOT_MTLS_ENABLED="false",
    )
    # A Lambda must find in its archive what it needs, not in this repository.
    os.environ.pop("PYTHONPATH", None)


def _install() -> Any:
    """Put our services, types and the door into ministack."""
    from ministack import app as ministack_app

    from tests.fakeaws import cfn_types, dms, faults, glue_runs, msk, quotas, rds_more

    ministack_app.SERVICE_HANDLERS.update(
        dms=dms.handle, kafka=msk.handle, glue=glue_runs.handle, servicequotas=quotas.handle
    )
    cfn_types.install()
    rds_more.install()
    faults.watch_connections()
    stores = (*dms.STORES, *msk.STORES, *glue_runs.STORES, *cfn_types.STORES)
    app = ministack_app.app
    if ministack_app.AUTH:
        app = _over_tls(app)
        _name_resources()
    return faults.Door(app, lambda account: _forget(stores, account))


def _over_tls(app: Any) -> Any:
    """Have every request count as one over TLS: bucket policies deny the others."""

    async def over_tls(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "scheme": "https"}, receive, send)

    return over_tls


def _name_resources() -> None:
    """Tell which resource a call is about where ministack does not: IAM narrows rights to it."""
    from urllib.parse import unquote

    from ministack.core import iam_actions
    from ministack.core.responses import get_account_id, get_region

    known = iam_actions.extract_resource_arn

    def resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *place: str
    ) -> Any:
        found = known(service, method, path, headers, body, query, *place)
        arn = re.search(r"arn:aws:kafka:[^/]+/.+", unquote(path))
        if service == "kafka" and arn is not None:
            return arn[0]
        if service == "athena" and found == "*":
            return f"arn:aws:athena:{get_region()}:{get_account_id()}:workgroup/primary"
        simulated = query.get("PolicySourceArn")
        if service == "iam" and simulated:
            return simulated[0] if isinstance(simulated, list) else simulated
        return found

    iam_actions.extract_resource_arn = resource_arn


def _forget(stores: tuple[Any, ...], account: str) -> None:
    from ministack.core.responses import request_scope

    regions = {"us-east-1", "eu-west-1", "eu-central-1", os.environ.get("AWS_REGION", "us-east-1")}
    for store in stores:
        if not account:
            for scoped_account, region in {(key[0], key[1]) for key in store.to_dict()}:
                with request_scope(scoped_account, region):
                    store.clear()
        for region in regions if account else ():
            with request_scope(account, region):
                for key in list(store):
                    store.pop(key)


def _end() -> None:
    from tests.fakeaws.processes import end_all

    end_all()
    os._exit(0)


def _watch(parent: int, lifetime_seconds: float) -> None:
    """End with the parent, and in any case after a time: no fake is left on the machine."""
    ends_at = time.monotonic() + lifetime_seconds
    while time.monotonic() < ends_at:
        if parent and os.getppid() != parent:
            break
        time.sleep(0.5)
    _end()


def main() -> None:
    """Serve until told to stop."""
    port = sys.argv[1]
    _prepare(port)
    door = _install()
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    signal.signal(signal.SIGTERM, lambda *_: _end())
    parent = int(os.environ.get("FAKE_PARENT_PID", "0"))
    lifetime = float(os.environ.get("FAKE_LIFETIME_SECONDS", "3600"))
    threading.Thread(target=_watch, args=(parent, lifetime), daemon=True).start()
    config = Config()
    config.bind = [f"{_HOST}:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(door, config, shutdown_trigger=_never))


async def _never() -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
