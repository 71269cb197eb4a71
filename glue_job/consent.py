"""What an operator lets pass in one run, table by table."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Consent:
    """Names of tables for each thing that otherwise stops one."""

    allow_quarantine: tuple[str, ...] = ()
    """Whose batches the circuit breaker lets pass."""
    accept_lost_offsets: tuple[str, ...] = ()
    """Which go on where messages are missing for good."""
    retake: tuple[str, ...] = ()
    """Whose begun batch, which its own config cannot finish, is given to the current one."""

    @property
    def tables(self) -> frozenset[str]:
        """Give every table that is named."""
        return frozenset((*self.allow_quarantine, *self.accept_lost_offsets, *self.retake))

    def as_options(self) -> list[str]:
        """Spell the consent as arguments of the job."""
        named = ((each.name, getattr(self, each.name)) for each in fields(self))
        return [
            f"--{name.replace('_', '-')}={','.join(tables)}" for name, tables in named if tables
        ]


def way_on(option: str, table: str) -> str:
    """Spell the command that lets a table pass in the next run."""
    return f"cdcctl start glue {option} {table}   (local up, after local down)"
