"""Which run folders, and which checkpoints in them, does a person mean? Found in the folders, so without the daemon."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vbotd.cli.run_view import find_runs
from vbotd.errors import NotFound, StoreError
from vbotd.layout import Layout
from vbotd.store.files import UnreadableFile, read_json
from vbotd.store.finding import resolve_id
from vbotd.store.read import Reader


def trained_runs(layout: Layout, target: str) -> list[Path]:
    """Return the folders of the train runs that `target` means, in the order of their names; of a trial's attempts at
    one seed the last.

    `target` is a folder, a checkpoint in one, or an id: of a campaign, a trial or a run, or the beginning of one.

    Raises: NotFound.
    """
    path = Path(target).expanduser()
    if path.is_file() and path.parent.name == "checkpoints":
        return [path.resolve().parent.parent]
    folders = [folder for folder in _folders(layout, target) if _kind(folder) == "train"]
    if not folders:
        raise NotFound(f"'{target}' has no train run — name a run, a trial or a campaign that was trained, "
                       "see 'vbotd status'")
    last: dict[tuple[Path, str], Path] = {}
    for folder in folders:
        # Run ids end in `train-s<seed>-a<attempt>`; a later attempt goes on where the earlier one ended.
        head, attempt, number = folder.name.rpartition("-a")
        last[(folder.parent, head if attempt and number.isdigit() else folder.name)] = folder
    return list(last.values())


def all_checkpoints(layout: Layout, target: str) -> list[tuple[str, Path]]:
    """Return (name, file) of the checkpoints that `target` means: itself, all of a run or trial, of a campaign the
    chosen one of each run.

    Raises: NotFound.
    """
    from vbotd.cli.checkpoint_of import checkpoint_in
    path = Path(target).expanduser()
    if path.is_file():
        return [(target, path.resolve())]
    folders = trained_runs(layout, target)
    trials = {folder if folder.parent == layout.adhoc_runs else folder.parent for folder in folders}
    if len(trials) > 1:
        files = [file for folder in folders if (file := checkpoint_in(folder)) is not None]
    else:
        files = [file for folder in folders for file in sorted((folder / "checkpoints").glob("ckpt_*.pt"))]
    if not files:
        raise NotFound(f"'{target}' has no checkpoint — one is made at every tenth of a run — see 'vbotd monitor'")
    return [(run_name(layout, file), file.resolve()) for file in files]


def run_name(layout: Layout, path: Path) -> str:
    """Return a path below the workspace's `runs/` as what stands behind it, any other as it is."""
    absolute, runs = path.resolve(), layout.runs.resolve()
    return absolute.relative_to(runs).as_posix() if absolute.is_relative_to(runs) else str(path)


def read_spec(folder: Path) -> dict[str, object]:
    """Return a run's `spec.json`; empty where there is none that can be read."""
    with suppress(UnreadableFile):
        return read_json(folder / "spec.json") or {}
    return {}


def _folders(layout: Layout, target: str) -> list[Path]:
    try:
        return find_runs(layout, target)
    except NotFound:
        with suppress(StoreError, NotFound), Reader(layout.store) as reader:
            return find_runs(layout, resolve_id(reader, target)[1])
        raise


def _kind(folder: Path) -> str:
    # A folder without a spec, such as somebody else's TensorBoard files, can only be something that was trained.
    return str(read_spec(folder).get("kind", "train"))
