"""Known answers in every batch, nothing lost, and an order that nobody can guess from the outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbotd.core.look_batches import Seen, Shown, batches, error_rate

KNOWN = [Shown(name=f"known/{k}", truth="walks" if k % 2 else "lies") for k in range(8)]


@given(st.integers(0, 40), st.integers(1, 9), st.text(max_size=5), st.integers(2, 6))
def test_every_picture_is_asked_once_with_a_known_one_beside_it(asked, known, seed, size):
    names = [f"e{k}" for k in range(asked)]
    made = batches(names, [Shown(name=f"known/{k}", truth="walks") for k in range(known)], seed, size)
    assert sorted(shown.name for batch in made for shown in batch if not shown.truth) == sorted(names)
    assert {shown.name for batch in made for shown in batch if shown.truth} == {f"known/{k}" for k in range(known)}
    for batch in made:
        assert 1 <= len(batch) <= size
        assert any(shown.truth for shown in batch)
    assert made == batches(names, [Shown(name=f"known/{k}", truth="walks") for k in range(known)], seed, size)


def test_the_seed_decides_the_order():
    orders = {tuple(shown.name for batch in batches(["e1", "e2"], KNOWN, str(seed)) for shown in batch)
              for seed in range(20)}
    assert len(orders) == 20
    places = {[shown.name for shown in batches(["e1"], KNOWN, str(seed))[-1]].index("e1") for seed in range(40)
              if "e1" in [shown.name for shown in batches(["e1"], KNOWN, str(seed))[-1]]}
    assert len(places) > 1


def test_only_known_answers_count_as_right_or_wrong():
    def seen(name: str, truth: str, said: str) -> Seen:
        return Seen(shown=Shown(name=name, truth=truth), said=said, confidence=1.0, words="")

    assert error_rate([seen("e1", "", "walks")]) is None
    found = error_rate([seen("a", "walks", "walks"), seen("b", "lies", "unclear"), seen("e1", "", "lies")])
    assert found is not None
    assert (found["value"], found["n"]) == (0.5, 2)


def test_without_a_known_answer_nothing_is_asked():
    with pytest.raises(ValueError, match="needs a known answer"):
        batches(["e1"], [], "x")
