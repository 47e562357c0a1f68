"""A small picture of a few series, cheap to look at: one panel a tag, 640 pixels wide."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from math import isfinite
from typing import Any

from vbotd.agent.registry import Picture, ToolError
from vbotd.core.wording import clean

WIDTH_IN, PANEL_IN, DPI = 6.4, 2.0, 100
LINE, GREY = "#0072B2", "#666666"

Points = tuple[tuple[int, float], ...]


def draw(title: str, series: Mapping[str, Points]) -> Picture:
    """Return a PNG of the series over env steps, at most eight panels in two columns.

    Raises: ToolError where matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter
    except ImportError as error:
        raise ToolError('a plot needs matplotlib: pip install "vbotd[plots]"; without plot=true the numbers come') \
            from error
    shown = dict(list(series.items())[:8])
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(WIDTH_IN, 0.4 + PANEL_IN * rows), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    panels = list(grid.flat)
    for panel, (tag, points) in zip(panels, shown.items(), strict=False):
        finite = [point for point in points if isfinite(point[1])]
        # A tag is foreign text: without parse_math a `$` in it stays a letter.
        panel.set_title(clean(tag, 60), fontsize=8, loc="left", parse_math=False)
        if finite:
            panel.plot(*zip(*finite, strict=True), color=LINE, linewidth=1.2)
        panel.xaxis.set_major_formatter(EngFormatter(sep=""))
        panel.tick_params(labelsize=7, colors=GREY)
        panel.grid(alpha=0.25)
    for panel in panels[len(shown):]:
        panel.axis("off")
    figure.suptitle(clean(title, 90), fontsize=8, parse_math=False)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return Picture(shows=f"series of {clean(title, 90)} over env steps", mime="image/png",
                   base64=base64.b64encode(data.getvalue()).decode())
