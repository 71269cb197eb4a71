"""Row rules: one file each; an import line here makes a rule known."""

from glue_job.rules import range as range
from glue_job.rules.base import RULES, Example, Rule

__all__ = ["RULES", "Example", "Rule"]
