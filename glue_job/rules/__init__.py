"""Row rules: one file each; an import line here makes a rule known."""

from glue_job.rules import allowed_values as allowed_values
from glue_job.rules import castable as castable
from glue_job.rules import email as email
from glue_job.rules import length as length
from glue_job.rules import not_blank as not_blank
from glue_job.rules import not_null as not_null
from glue_job.rules import range as range
from glue_job.rules import regex as regex
from glue_job.rules import uuid as uuid
from glue_job.rules import vin as vin
from glue_job.rules.base import RULES, Example, Rule

__all__ = ["RULES", "Example", "Rule"]
