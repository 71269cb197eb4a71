"""Parameters of rules, transforms and metrics: one declaration gives checks, schema and docs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from glue_job.contract.types import SIMPLE_TYPES, DataType

if TYPE_CHECKING:
    from glue_job.contract.model import Column, Table

Schema = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one use of a rule, transform or metric; `key` names the parameter."""

    message: str
    help: str = ""
    key: str | None = None
    item: int | None = None
    """Which item of the parameter, where that is a list."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: what it means, whether it must be given, what it is otherwise."""

    description: str
    required: bool = False
    default: Any = None

    @property
    @abstractmethod
    def kind(self) -> str:
        """Name the accepted values in one phrase."""

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Tell whether `value` is of this kind."""

    @abstractmethod
    def schema(self) -> Schema:
        """Give the draft-07 schema of the value."""

    def documented_schema(self) -> Schema:
        """Give the schema with description and default."""
        documented = {**self.schema(), "description": self.description}
        if self.default is not None:
            documented["default"] = self.default
        return documented


def is_number(value: object) -> bool:
    """Tell whether a YAML value is a finite number; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return Decimal(value).is_finite()


class Number(Parameter):
    """Any finite number."""

    kind = "a number"

    def accepts(self, value: object) -> bool:
        """Accept integers, floats and decimals."""
        return is_number(value)

    def schema(self) -> Schema:
        """Give the schema of a number."""
        return {"type": "number"}


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number within bounds."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    def kind(self) -> str:
        """Name the bounds."""
        match self.minimum, self.maximum:
            case None, None:
                return "a whole number"
            case low, None:
                return f"a whole number of at least {low}"
            case None, high:
                return f"a whole number of at most {high}"
            case low, high:
                return f"a whole number from {low} to {high}"

    def accepts(self, value: object) -> bool:
        """Accept integers within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return (self.minimum is None or value >= self.minimum) and (
            self.maximum is None or value <= self.maximum
        )

    def schema(self) -> Schema:
        """Give the schema of an integer with its bounds."""
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return {
            "type": "integer",
            **{key: at for key, at in bounds.items() if at is not None},
        }


class Bound(Parameter):
    """An end of a range: a number, or a date or timestamp as text."""

    kind = "a number, date or timestamp"

    def accepts(self, value: object) -> bool:
        """Accept numbers and texts; the column's type decides what a text means."""
        return is_number(value) or (isinstance(value, str | date) and value != "")

    def schema(self) -> Schema:
        """Give the schema of a number or a text."""
        return {"type": ["number", "string"], "minLength": 1}


class Text(Parameter):
    """A text of at least one character."""

    kind = "a text of at least one character"

    def accepts(self, value: object) -> bool:
        """Accept non-empty strings."""
        return isinstance(value, str) and value != ""

    def schema(self) -> Schema:
        """Give the schema of a non-empty string."""
        return {"type": "string", "minLength": 1}


def is_scalar(value: object) -> bool:
    """Tell whether a YAML value is one value other than null."""
    return isinstance(value, str | bool | date | datetime) or is_number(value)


class Scalar(Parameter):
    """One value of any type but null."""

    kind = "a text, number or boolean"

    def accepts(self, value: object) -> bool:
        """Accept texts, numbers, booleans and dates."""
        return is_scalar(value)

    def schema(self) -> Schema:
        """Give the schema of a scalar."""
        return {"type": ["string", "number", "boolean"]}


class Values(Parameter):
    """A list of different values."""

    kind = "a list of at least one text, number or boolean"

    def accepts(self, value: object) -> bool:
        """Accept non-empty lists of scalars."""
        return isinstance(value, list | tuple) and bool(value) and all(map(is_scalar, value))

    def schema(self) -> Schema:
        """Give the schema of a list without repetitions."""
        item = {"type": ["string", "number", "boolean"]}
        return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


class Flag(Parameter):
    """Yes or no."""

    kind = "true or false"

    def accepts(self, value: object) -> bool:
        """Accept booleans."""
        return isinstance(value, bool)

    def schema(self) -> Schema:
        """Give the schema of a boolean."""
        return {"type": "boolean"}


class TypeName(Parameter):
    """A column type of tables.yaml."""

    kind = "a column type such as integer or decimal(10,2)"

    def accepts(self, value: object) -> bool:
        """Accept the types that the contract knows."""
        if not isinstance(value, str):
            return False
        try:
            DataType.parse(value)
        except ValueError:
            return False
        return True

    def schema(self) -> Schema:
        """Give the schema of a type's spelling."""
        names = "|".join(SIMPLE_TYPES)
        return {
            "type": "string",
            "pattern": rf"^(?:{names}|decimal\(\s*\d{{1,3}}\s*,\s*\d{{1,3}}\s*\))$",
        }


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a closed list of words."""

    choices: Sequence[str] = ()

    @property
    def kind(self) -> str:
        """Name the words."""
        return "one of " + ", ".join(f"`{choice}`" for choice in self.choices)

    def accepts(self, value: object) -> bool:
        """Accept the listed words."""
        return value in self.choices

    def schema(self) -> Schema:
        """Give the schema of the list."""
        return {"type": "string", "enum": list(self.choices)}


class Params:
    """The parameters of one class; `at_least_one` names those of which one must be given."""

    def __init__(self, *, at_least_one: tuple[str, ...] = (), **parameters: Parameter) -> None:
        """Declare the parameters by name."""
        self.parameters = parameters
        self.at_least_one = at_least_one

    def __iter__(self) -> Iterator[tuple[str, Parameter]]:
        """Give name and parameter in the order of declaration."""
        return iter(self.parameters.items())

    def json_schema(self) -> Schema:
        """Give the draft-07 schema of the `params` object."""
        schema: Schema = {
            "type": "object",
            "properties": {name: param.documented_schema() for name, param in self},
            "additionalProperties": False,
        }
        required = [name for name, param in self if param.required]
        if required:
            schema["required"] = required
        if self.at_least_one:
            schema["anyOf"] = [{"required": [name]} for name in self.at_least_one]
        return schema

    def faults(self, values: Mapping[str, Any]) -> list[Problem]:
        """Give what is unknown, missing or of the wrong kind."""
        known = ", ".join(f"`{name}`" for name in self.parameters) or "none"
        faults = [
            Problem(
                f"`{name}` is not a parameter",
                help=f"known parameters: {known}",
                key=name,
            )
            for name in values
            if name not in self.parameters
        ]
        for name, param in self:
            if name not in values:
                if param.required:
                    faults.append(Problem(f"`{name}` is missing", help=param.description))
            elif not param.accepts(values[name]):
                faults.append(Problem(f"`{name}` must be {param.kind}", key=name))
        if self.at_least_one and not any(name in values for name in self.at_least_one):
            names = " and ".join(f"`{name}`" for name in self.at_least_one)
            faults.append(Problem(f"at least one of {names} must be given"))
        return faults

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the defaults; ValueError names every fault."""
        faults = self.faults(values)
        if faults:
            raise ValueError("; ".join(fault.message for fault in faults))
        return {name: values.get(name, param.default) for name, param in self}


class Configurable:
    """A rule, transform or metric: named by `type`, its parameters become attributes."""

    type: ClassVar[str]
    params: ClassVar[Params] = Params()

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        """Take the parameters of tables.yaml; ValueError when they do not fit."""
        for name, value in self.params.complete(params or {}).items():
            setattr(self, name, value)

    @classmethod
    def summary(cls) -> str:
        """Give the first line of the docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Give what is wrong with this use on this table and column; needs no Spark."""
        return ()
