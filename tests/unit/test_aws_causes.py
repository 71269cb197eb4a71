import pytest

from cdcctl.aws.causes import CAUSES, Cause, hint_for


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.example[:40])
def test_the_text_of_a_known_cause_gives_its_hint(cause: Cause) -> None:
    assert hint_for(cause.example) == cause.hint


def test_an_unknown_text_gives_no_hint() -> None:
    assert hint_for("something quite different") is None
