"""What a CloudFormation template says under given parameters: its conditions are decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def decided_resources(
    template: Mapping[str, Any], parameters: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Give the resources that are made under these parameters, with the values they decide.

    What AWS alone can tell, a reference to a resource or its attribute, stays as it is.
    """
    reading = _Reading(template, parameters)
    return {
        name: reading.value(resource)
        for name, resource in template["Resources"].items()
        if reading.holds(resource.get("Condition"))
    }


class _Reading:
    """A template read with the value of every parameter, its default unless one is given."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        declared = template.get("Parameters", {}).items()
        defaults = {name: each["Default"] for name, each in declared if "Default" in each}
        self._values = {**defaults, **parameters}
        self._conditions = template.get("Conditions", {})

    def holds(self, condition: str | None) -> bool:
        """Tell whether a condition, by its name, is met; none at all always is."""
        return condition is None or self._is_met(self._conditions[condition])

    def value(self, written: Any) -> Any:
        """Give a value with the branch of each `Fn::If` taken and parameters set in."""
        match written:
            case {"Fn::If": [condition, met, unmet]}:
                return self.value(met if self.holds(condition) else unmet)
            case {"Ref": str(name)} if name in self._values:
                return self._values[name]
            case {"Fn::Join": [str(between), parts]}:
                told = self.value(parts)
                # A list parameter is a text with commas.
                is_text = isinstance(told, str)
                return between.join(told.split(",")) if is_text else {"Fn::Join": [between, told]}
            case Mapping():
                return {name: self.value(each) for name, each in written.items()}
            case list():
                return [self.value(each) for each in written]
            case _:
                return written

    def _is_met(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self.holds(name)
            case {"Fn::Equals": [one, other]}:
                return bool(self.value(one) == self.value(other))
            case {"Fn::Not": [inner]}:
                return not self._is_met(inner)
            case {"Fn::And": parts}:
                return all(map(self._is_met, parts))
            case {"Fn::Or": parts}:
                return any(map(self._is_met, parts))
            case _:
                raise ValueError(f"{condition} is no condition of a template")
