"""Draws the course of one check with its threshold: in the terminal, or into a PNG file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.metrics import CourseReport
from cdcctl.ui import console, tables
from cdcctl.ui.output import Document

_MIN_HEIGHT, _MAX_HEIGHT = 10, 20


def course_document(report: CourseReport) -> Document:
    """Give the measurements of the course for machines."""
    points = [each.as_document() for each in report.measurements]
    return Document("measurements/v1", {"measurements": points}, points, warnings=report.warnings)


def show_course(report: CourseReport) -> None:
    """Draw a line over time, the threshold beside it, and say what was breached."""
    if len({tables.local_time(each.measured_at) for each in report.known}) > 1:
        _draw(report)
    tables.show(report.verdict)


def _draw(report: CourseReport) -> None:
    import plotext

    out = console.stdout()
    plotext.clear_figure()
    plotext.date_form("Y-m-d H:M:S")
    times = [tables.local_time(each.measured_at) for each in report.known]
    plotext.plot(times, [each.value for each in report.known], marker="braille", label="value")
    if report.threshold is not None:
        plotext.plot([times[0], times[-1]], [report.threshold] * 2, marker="-", label="threshold")
    plotext.title(report.title)
    plotext.plotsize(min(out.width, 120), max(_MIN_HEIGHT, min(_MAX_HEIGHT, out.height - 6)))
    if console.has_color(sys.stdout):
        plotext.theme("pro")
        drawn = plotext.build()
    else:
        plotext.theme("clear")
        drawn = plotext.uncolorize(plotext.build())
    sys.stdout.write("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")


def save_course(report: CourseReport, file: Path) -> None:
    """Write the plot as a PNG file."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise CdcctlError(
            "USE033",
            "a PNG file needs matplotlib, and it is not installed",
            fix="pip install 'cdcctl[plot]'",
            exit_code=ExitCode.USAGE,
        ) from error
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4), layout="constrained")
    times: Any = [each.measured_at for each in report.known]
    values: Any = [each.value for each in report.known]
    axes.plot(times, values, marker=".", label="value")
    if report.threshold is not None:
        axes.axhline(report.threshold, color="tab:red", linestyle="--", label="threshold")
    axes.set(title=report.title, xlabel="time (UTC)")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.autofmt_xdate()
    try:
        figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise CdcctlError(
            "USE034",
            f"{file} cannot be written",
            why=error.strerror or str(error),
            fix="name another file with --png",
        ) from error
    finally:
        pyplot.close(figure)
