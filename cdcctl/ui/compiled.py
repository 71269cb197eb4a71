"""Screen of `cdcctl compile`. No rich: the text is for files and pipes."""

from __future__ import annotations

import sys

from cdcctl.operations.compile_config import CompileReport
from cdcctl.ui.output import Document


def compiled_document(report: CompileReport) -> Document:
    """Give the compiled files for machines."""
    records = [
        {
            "name": artefact.name,
            "is_current": artefact.name not in report.stale if report.folder else None,
            "text": artefact.text,
        }
        for artefact in report.artefacts
    ]
    return Document(
        "compile/v1",
        {
            "config_hash": report.config_hash,
            "folder": None if report.folder is None else str(report.folder),
            "artefacts": records,
        },
        records,
    )


def show_compiled(report: CompileReport, is_check: bool) -> None:
    """Print the files themselves, or what became of them in the folder."""
    if report.folder is None:
        for artefact in report.artefacts:
            if len(report.artefacts) > 1:
                mark = "--" if artefact.name.endswith(".sql") else "//"
                sys.stdout.write(f"{mark} {artefact.name}\n")
            sys.stdout.write(artefact.text)
        return
    done = "stale" if is_check else "written"
    for artefact in report.artefacts:
        state = done if artefact.name in report.stale else "current"
        sys.stdout.write(f"{state:<8} {report.folder / artefact.name}\n")
