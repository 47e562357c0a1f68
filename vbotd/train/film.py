"""How do frames become a file? An mp4 where PyAV is installed, else a GIF; or the last frame as a PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vbotd.store.files import write_atomic
from vbotd.train.gl import RenderError

FRAMES_PER_S = 25
JPEG_QUALITY = 70
GIF_EVERY = 2  # a GIF is for looking at, not for slow motion, and is large enough as it is

Frames = Iterable[np.ndarray]
Item = TypeVar("Item")


def write_frames(frames: Frames, out: Path) -> Path:
    """Write frames [H, W, 3] uint8 as the ending of `out` says; return the file written.

    Writes: `out`; what is no `.png` or `.gif` is a video, and without PyAV a GIF beside it. Frames are taken one
    by one, so that a long film needs no more memory than a short one (a GIF does).
    Raises: RenderError without a frame.
    """
    first = next(iterator := iter(frames), None)
    if first is None:
        raise RenderError("no frame to write — ask for at least one control step")
    out.parent.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Frames, Path], None]] = {".png": _write_png, ".gif": _write_gif}
    if out.suffix not in writers and not has_video():
        out = out.with_suffix(".gif")
    writers.get(out.suffix, _write_video)(chain([first], iterator), out)
    return out


def has_video() -> bool:
    """Say whether a video can be encoded here."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def write_picture(picture: np.ndarray | Any, out: Path) -> None:
    """Write an array [H, W, 3] uint8, or a Pillow image, as a PNG, or a small JPEG: whole or not at all."""
    from PIL import Image

    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    data = io.BytesIO()
    if out.suffix == ".jpg":
        image.save(data, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    else:
        image.save(data, format="PNG", optimize=True)
    write_atomic(out, data.getvalue())


def _write_video(frames: Frames, out: Path) -> None:
    import av

    with av.open(str(out), "w", options={"movflags": "+faststart"} if out.suffix == ".mp4" else {}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S)
        stream.pix_fmt = "yuv420p"
        for i, frame in enumerate(frames):
            if i == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _write_gif(frames: Frames, out: Path) -> None:
    from PIL import Image

    images = (Image.fromarray(frame) for i, frame in enumerate(frames) if i % GIF_EVERY == 0)
    data = io.BytesIO()
    next(images).save(data, format="GIF", save_all=True, append_images=images, loop=0,
                      duration=GIF_EVERY * 1000 // FRAMES_PER_S)  # fmt: skip
    write_atomic(out, data.getvalue())


def _write_png(frames: Frames, out: Path) -> None:
    last: np.ndarray | None = None
    for frame in frames:
        last = frame
    write_picture(last, out)


def at_film_rate(items: Iterable[Item], dt_s: float) -> Iterator[Item]:
    """Yield those of the items, `dt_s` apart, that a film shows: the first at or after the time of each frame."""
    due_s = 0.0
    for k, item in enumerate(items):
        if k * dt_s + 1e-9 >= due_s:
            due_s += 1.0 / FRAMES_PER_S
            yield item
