"""How do many pictures become one that can be read? A grid: moments from left to right, cameras below each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vbotd.core.moments import Moment
from vbotd.train.overlay import DIM, INK, draw_feet, font, telemetry_lines
from vbotd.train.rollout import Step

CELL = (320, 240)
PER_ROW = 6  # at most: 1,920 pixels: what a screen shows, and what a vision model does not shrink much
PLAIN_CELL, PLAIN_COLUMNS, PLAIN_CAPTION_PX = (200, 150), 6, 20  # a model is asked about several such sheets at once
CAPTION_PX, HEAD_PX, GAP_PX = 80, 34, 4
GROUND = (24, 28, 34)
EVENT = (255, 190, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One moment of an episode: a picture a camera, what the robot did, and why the moment was chosen ("")."""

    pictures: tuple[np.ndarray, ...]  # [H, W, 3] uint8 each
    step: Step
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The moments of one episode, under a title."""

    title: str
    columns: tuple[Column, ...]


def contact_sheet(blocks: Sequence[Block], cameras: Sequence[str], dt_s: float) -> Image.Image:
    """Return all moments of all episodes as one picture."""
    bands = [band for block in blocks for band in _bands(block)]
    wide = max(len(columns) for _, columns in bands)
    band_px = CAPTION_PX + len(cameras) * (CELL[1] + GAP_PX)
    height = sum(band_px + (HEAD_PX if title else 0) for title, _ in bands)
    sheet = Image.new("RGB", (wide * (CELL[0] + GAP_PX) - GAP_PX, height), GROUND)
    draw, y = ImageDraw.Draw(sheet), 0
    for title, columns in bands:
        if title:
            draw.text((8, y + 8), title, fill=INK, font=font(18))
            y += HEAD_PX
        for k, column in enumerate(columns):
            _paste(sheet, draw, (k * (CELL[0] + GAP_PX), y), column, cameras if k == 0 else (), dt_s)
        y += band_px
    return sheet


def plain_sheet(columns: Sequence[tuple[float, float, Sequence[np.ndarray]]]) -> Image.Image:
    """Return moments from left to right as small pictures below each other, with what no picture shows above them.

    Args:
        columns: the time in the episode, s, how far the robot is from where it began, m (the cameras go along with
            it), and a picture [H, W, 3] uint8 a camera.
    """
    rows = len(columns[0][2])
    width, height = PLAIN_CELL[0] + GAP_PX, PLAIN_CELL[1] + GAP_PX
    sheet = Image.new("RGB", (len(columns) * width - GAP_PX, PLAIN_CAPTION_PX + rows * height - GAP_PX), GROUND)
    draw = ImageDraw.Draw(sheet)
    for k, (time_s, went_m, pictures) in enumerate(columns):
        draw.text((k * width + 6, 2), f"{time_s:.2f} s, {went_m:.1f} m away", fill=INK, font=font(14))
        for row, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize(PLAIN_CELL, Image.Resampling.LANCZOS)
            sheet.paste(small, (k * width, PLAIN_CAPTION_PX + row * height))
    return sheet


def spread(moments: Sequence[Moment], most: int = PLAIN_COLUMNS) -> tuple[Moment, ...]:
    """Return at most so many of the moments, in their order: the first and the last, events, then regular ones."""
    ends = {moments[0].index, moments[-1].index}
    by_worth = sorted(moments, key=lambda moment: (moment.index not in ends, not moment.reasons, moment.index))
    return tuple(sorted(by_worth[:most], key=lambda moment: moment.index))


def _bands(block: Block) -> list[tuple[str, tuple[Column, ...]]]:
    """Return an episode's columns in bands of equal width, the first with the title."""
    rows = -(-len(block.columns) // PER_ROW)
    wide = -(-len(block.columns) // rows)
    return [(block.title if k == 0 else "", block.columns[k * wide:(k + 1) * wide]) for k in range(rows)]  # fmt: skip


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], column: Column, cameras: Sequence[str],
    dt_s: float,
) -> None:  # fmt: skip
    x, y = at
    motion, posture = telemetry_lines(column.step, dt_s)
    time, rest = motion.split("s   ", 1)
    draw.text((x + 6, y + 3), f"{time.strip()} s", fill=INK, font=font(15))
    draw_feet(draw, (x + CELL[0] - 4 * 37, y + 2), column.step.foot_contact)
    draw.text((x + 6, y + 22), column.label or "regular", fill=EVENT if column.label else DIM, font=font(13))
    draw.text((x + 6, y + 41), rest, fill=DIM, font=font(12))
    draw.text((x + 6, y + 59), posture.partition(", so far")[0], fill=DIM, font=font(12))
    for row, picture in enumerate(column.pictures):
        top = y + CAPTION_PX + row * (CELL[1] + GAP_PX)
        sheet.paste(Image.fromarray(picture).resize(CELL, Image.Resampling.LANCZOS), (x, top))
        if row < len(cameras):
            width = int(font(13).getlength(cameras[row])) + 12
            draw.rectangle((x, top, x + width, top + 19), fill=GROUND)
            draw.text((x + 6, top + 2), cameras[row], fill=INK, font=font(13))
