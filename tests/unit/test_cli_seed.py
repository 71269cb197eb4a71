"""seed asks which source is meant, and keeps off a protected one."""

from __future__ import annotations

import pytest

from cdcctl import app


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [("seed", 2, "USE010"), ("seed --stack live --protected --yes", 10, "DB014")],
)
def test_no_row_is_written_by_mistake(
    line: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CDCCTL_STACK", raising=False)
    found = app.run(line.split())
    errors = capsys.readouterr().err
    assert (found, said in errors) == (code, True), errors
