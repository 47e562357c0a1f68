"""What came of each evaluated episode, and of all of them together? Accounts by name, rates and means by tag."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vbotd.core.interval import Measured, of_mean, of_rate

RATES = {
    "eval/success_rate": "success",
    "eval/fall_rate": "fall",
    "eval/timeout_rate": "timed_out",
    "eval/diverged_rate": "diverged",
}
MEANS = {"eval/episode_length_s": "length_s", "eval/episode_return": "total_reward"}
_COLUMN_OF = RATES | MEANS
_TAG_OF = {name: tag for tag, name in _COLUMN_OF.items()}


def account_of(tag: str) -> str:
    """Return the account that a tag is measured from: `success` for `eval/success_rate`, else the tag's own name."""
    return _COLUMN_OF.get(tag, tag.removeprefix("eval/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Evaluated episodes, by account: row i of every column is episode i; NaN where it has no such number."""

    columns: Mapping[str, tuple[float, ...]]

    @property
    def num_episodes(self) -> int:
        """How many episodes there are."""
        return len(next(iter(self.columns.values()), ()))

    def metrics(self) -> dict[str, Measured]:
        """Return `eval/*` with 95 % intervals: Wilson for rates, Student for means. What has no number is left out."""
        found = {}
        for name, column in self.columns.items():
            values = [value for value in column if math.isfinite(value)]
            if values:
                found[tag_of(name)] = (
                    of_rate(round(sum(values)), len(values)) if is_rate_column(name) else of_mean(values))
        return found

    def values(self, tag: str) -> tuple[float, ...]:
        """Return the column behind a tag; all NaN where these episodes have none."""
        return self.columns.get(column_of(tag), (math.nan,) * self.num_episodes)


def column_of(tag: str) -> str:
    """Return the account that a tag is made from."""
    return _COLUMN_OF.get(tag, tag.removeprefix("eval/"))


def tag_of(column: str) -> str:
    """Return the tag of an account."""
    return _TAG_OF.get(column, f"eval/{column}")


def is_rate_column(name: str) -> bool:
    """Say whether an account holds 0 or 1 an episode, so that its mean is a rate."""
    return name.endswith("_rate") or name in RATES.values()


def pooled(parts: Sequence[Accounts]) -> Accounts:
    """Return the episodes of several evaluations behind one another, in their order."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Accounts(columns={name: tuple(value for part in parts for value in part.values(tag_of(name)))
                             for name in names})


def from_csv(text: str) -> Accounts:
    """Return what an `episodes.csv` holds; an empty cell is NaN, and the instance's number is no account."""
    head, *rows = csv.reader(io.StringIO(text))
    return Accounts(columns={name: tuple(float(row[i]) if row[i] else math.nan for row in rows)
                             for i, name in enumerate(head) if name != "instance"})
