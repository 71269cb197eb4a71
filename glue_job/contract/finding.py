"""Findings: what is wrong with a tables.yaml, where, and under which stable code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

FindingSeverity = Literal["error", "warning", "info"]

CODES = {
    "CFG001": "The file is not UTF-8 text.",
    "CFG002": "The file holds a control character that YAML does not allow.",
    "CFG003": "The file is not well-formed YAML.",
    "CFG004": "A tab stands where YAML wants spaces.",
    "CFG005": "A key stands twice in one mapping.",
    "CFG006": "An anchor, alias or merge key cannot be resolved.",
    "CFG007": "The file is too large, too deep, or its aliases expand to too much.",
    "CFG008": "The file holds more than one YAML document.",
    "CFG009": "The file is empty.",
    "CFG010": "An unquoted value means something else in YAML 1.1 than it says.",
    "CFG011": "A YAML tag is not supported.",
    "CFG012": "A key is not known here.",
    "CFG013": "A key is missing.",
    "CFG014": "A value is of the wrong kind.",
    "CFG015": "A value is not one of those allowed.",
    "CFG016": "A value is outside its bounds, or its form is wrong.",
    "CFG017": "A rule, transform or metric of this name does not exist.",
    "CFG018": "A parameter of a rule, transform or metric is unknown, missing or unfit.",
    "CFG019": "A placeholder is not one of ${STACK_NAME} and ${AWS_ACCOUNT_ID}.",
    "CFG020": "A `cdcctl: ignore` comment names a code that does not exist.",
    "CFG021": "A column is not in the schema of its table.",
    "CFG022": "Two tables have one name.",
    "CFG023": "Two tables read one topic.",
    "CFG024": "Two rules, or two transforms, have one id.",
    "CFG025": "Two columns of a table have one name, upper and lower case being equal.",
    "CFG026": "A name is not a legal identifier.",
    "CFG027": "A name is reserved for the pipeline itself.",
    "CFG028": "A primary key column may be NULL, or is not fit to be a key.",
    "CFG029": "A transform changes a primary key column.",
    "CFG030": "A topic name is not legal in Kafka.",
    "CFG031": "A topic name is legal, but DMS or Kafka will not treat it as it reads.",
    "CFG032": "A path is not an s3:// path below a legal bucket.",
    "CFG033": "Two places of the lake are the same, or one lies in the other.",
    "CFG034": "A column type does not exist.",
    "CFG035": "A rule cannot work on its column, or cannot be met.",
    "CFG036": "A transform cannot work on its column.",
    "CFG037": "A metric cannot be measured like this.",
    "CFG038": "A threshold is outside the values of its metric.",
    "CFG039": "A transform makes a value that a rule of its column refuses.",
    "CFG040": "Two steps stand at one place in the order of a column's transforms.",
    "CFG041": "The trigger interval is not a time span.",
    "CFG042": "An internal table does not have the columns the job writes.",
    "CFG043": "An internal table has a setting that only streamed tables use.",
    "CFG044": "`history.ignore_columns` leaves no history, or names a key column.",
    "CFG045": "A PostgreSQL type does not exist, or does not fit the column's type.",
    "CFG046": "The same check stands twice.",
    "CFG047": "A broker address is not `host:port`.",
    "CFG048": "No table has a stream.",
    "CFG050": "PostgreSQL, DMS or the Glue catalog would refuse what the file compiles to.",
}
"""Stable codes, each with what it stands for. A code keeps its meaning for good."""

UNREADABLE_CODES = frozenset(code for code in CODES if code <= "CFG018") | {
    "CFG022",
    "CFG025",
    "CFG026",
    "CFG030",
    "CFG032",
    "CFG034",
    "CFG041",
}
"""Errors after which no pipeline can be made of the file; a comment cannot silence them."""


@dataclass(frozen=True)
class Finding:
    """One fault of a file: `line` and `column` count from 1, None where none fits."""

    code: str
    severity: FindingSeverity
    message: str
    file: str
    line: int | None
    column: int | None
    help: str = ""
    width: int = 1
    """How many characters from `column` on are meant."""
    more: str = ""
    """A command that explains what is used here."""

    @property
    def is_error(self) -> bool:
        """Tell whether the file cannot be used because of it."""
        return self.severity == "error"


@dataclass(frozen=True)
class Place:
    """A spot of the file: line and column from 1, and how many characters are meant."""

    line: int | None
    column: int | None
    width: int = 1


NOWHERE = Place(None, None)


@dataclass(frozen=True)
class Fault:
    """A finding before it knows its file."""

    code: str
    message: str
    place: Place
    help: str = ""
    severity: FindingSeverity = "error"
    more: str = ""

    def in_file(self, file: str) -> Finding:
        """Make it a finding of `file`."""
        place = self.place
        return Finding(
            code=self.code,
            severity=self.severity,
            message=self.message,
            file=file,
            line=place.line,
            column=place.column,
            help=self.help,
            width=place.width,
            more=self.more,
        )


def rules_command(name: str) -> str:
    """Name the command that explains a rule, transform or metric."""
    return f"cdcctl rules {name}"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Name the nearest known name, or all of them when they are few and none is near."""
    from difflib import get_close_matches

    names = sorted(set(known))
    near = get_close_matches(wrong.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if 0 < len(names) <= 15:
        return "known: " + ", ".join(names)
    return ""
