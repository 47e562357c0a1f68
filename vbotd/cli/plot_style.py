"""How do all plots look? The same colours, a light grid, round numbers, lines that are smoothed alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING

from vbotd.errors import VbotdError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008: told apart by colour-blind people too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8B6B00", "#555555")
GREY = "#666666"

Points = Sequence[tuple[int, float]]


class PlotsMissing(VbotdError):
    """The plotting library is not installed."""


def smoothed(points: Points) -> list[tuple[int, float]]:
    """Return the running mean over a twentieth of the finite points."""
    finite = [point for point in points if isfinite(point[1])]
    reach = len(finite) // 40
    return [(step, fmean(value for _, value in finite[max(0, i - reach):i + reach + 1]))
            for i, (step, _) in enumerate(finite)]


def plain_axes(panel: Axes) -> None:
    """Give a panel round numbers, a light grid and no frame; env steps are its x-axis."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    for axis in (panel.xaxis, *([panel.yaxis] if panel.get_yscale() == "linear" else [])):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    panel.grid(color="#EEEEEE", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(which="both", colors=GREY, labelsize=9, length=0)
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_visible(False)
