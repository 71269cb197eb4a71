"""Classes by the name that tables.yaml uses for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from glue_job.parameters import Configurable

Kind = TypeVar("Kind", bound=Configurable)


class Registry(Generic[Kind]):
    """The rules, the transforms or the metrics there are."""

    def __init__(self, noun: str) -> None:
        """Name what is registered, for messages."""
        self.noun = noun
        self._classes: dict[str, type[Kind]] = {}

    def register(self, cls: type[Kind]) -> type[Kind]:
        """Add a class under its `type`; ValueError when the name is taken."""
        taken = self._classes.get(cls.type)
        if taken is not None:
            raise ValueError(
                f"{self.noun} `{cls.type}` is both {taken.__name__} and {cls.__name__}"
            )
        self._classes[cls.type] = cls
        return cls

    def names(self) -> tuple[str, ...]:
        """Give the names in alphabetical order."""
        return tuple(sorted(self._classes))

    def get(self, name: str) -> type[Kind]:
        """Find a class; KeyError when there is none of that name."""
        return self._classes[name]

    def build(self, name: str, params: Mapping[str, Any] | None = None) -> Kind:
        """Make an instance; KeyError for an unknown name, ValueError for unfit parameters."""
        return self.get(name)(params)

    def __contains__(self, name: object) -> bool:
        """Tell whether the name is known."""
        return name in self._classes

    def __iter__(self) -> Iterator[type[Kind]]:
        """Give the classes by name."""
        return (self._classes[name] for name in self.names())
