"""The root of the source's certificate is found in what AWS publishes for a region."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdcctl import app
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.rds_certificates import root_certificate
from tests.local.tls_door import CERTIFICATES

ROOT, OTHER, SERVER = (
    (CERTIFICATES / name).read_text() for name in ("root.pem", "other-root.pem", "server.pem")
)


def test_the_root_is_chosen_among_others(tmp_path: Path) -> None:
    file = tmp_path / "region.pem"
    file.write_text(f"{SERVER}# a comment\n{ROOT}")
    assert root_certificate(file) == ROOT


@pytest.mark.parametrize(
    "held", ["", "no certificate", SERVER, ROOT + OTHER, ROOT.replace("M", "M=", 1)]
)
def test_no_root_and_several_are_refused(tmp_path: Path, held: str) -> None:
    file = tmp_path / "global.pem"
    file.write_text(held)
    with pytest.raises(CdcctlError, match="does not hold the certificates of one region"):
        root_certificate(file)


def test_deploy_says_which_file_it_wants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "global.pem"
    file.write_text(ROOT + OTHER)
    line = ["deploy", "--stack", "demo", "--rds-ca", str(file), "--yes"]
    assert app.run(line) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "USE037" in said
    assert "REGION-bundle.pem" in said
