"""What became of the episodes lately? A rolling window of accounts, for the telemetry and the choice of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vbotd.train.tasks.environment import Finished

WINDOW = 500  # episodes; the standard error of a rate of 0.5 is then 0.022
FIXED = ("success", "fall", "timed_out", "diverged", "length_s", "total_reward")


class RecentEpisodes:
    """The last `WINDOW` whole episodes of all environments, in order of their end."""

    def __init__(self, metric_names: tuple[str, ...] = ()) -> None:
        self.total = 0
        self.diverged_total = 0
        self._since_last_take = 0
        self._rows: dict[str, list[float]] = {name: [] for name in (*FIXED, *metric_names)}

    def add(self, finished: Finished) -> None:
        """Take finished episodes into the window."""
        columns = {name: getattr(finished, name) for name in FIXED} | finished.metrics
        for name, values in columns.items():
            row = self._rows.setdefault(name, [])
            row.extend(float(v) for v in values)
            del row[:-WINDOW]
        self.total += len(finished.env_ids)
        self.diverged_total += int(finished.diverged.sum())
        self._since_last_take += len(finished.env_ids)

    def values(self, name: str) -> np.ndarray:
        """Return the window's numbers of one account, without NaN."""
        values = np.array(self._rows.get(name, []), dtype=float)
        return values[np.isfinite(values)]

    def mean(self, name: str) -> float | None:
        """Return the window's mean, ignoring NaN; None before the first episode that has a number."""
        values = self.values(name)
        return float(values.mean()) if len(values) else None

    def take_scalars(self) -> dict[str, float]:
        """Return the `train/` and `task/` scalars of the window, and start counting its episodes anew."""
        tags = {
            "train/episode_return": "total_reward",
            "train/episode_length_s": "length_s",
            "train/success_rate": "success",
            "train/fall_rate": "fall",
            "train/timeout_rate": "timed_out",
            "train/diverged_rate": "diverged",
        } | {f"task/{name}": name for name in self._rows if name not in FIXED}
        scalars = {tag: mean for tag, name in tags.items() if (mean := self.mean(name)) is not None}
        scalars["train/episodes"] = float(self._since_last_take)
        self._since_last_take = 0
        return scalars

    def save(self) -> dict[str, object]:
        """Return plain values for a checkpoint."""
        return {
            "total": self.total,
            "diverged_total": self.diverged_total,
            "since_last_take": self._since_last_take,
            "rows": {name: list(row) for name, row in self._rows.items()},
        }

    def restore(self, saved: Mapping[str, object]) -> None:
        """Go on with a saved window."""
        self.total = saved["total"]  # type: ignore[assignment]  # written by save
        self.diverged_total = saved["diverged_total"]  # type: ignore[assignment]  # written by save
        self._since_last_take = saved["since_last_take"]  # type: ignore[assignment]  # written by save
        self._rows = {name: list(row) for name, row in saved["rows"].items()}  # type: ignore[attr-defined]  # same
