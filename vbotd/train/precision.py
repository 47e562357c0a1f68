"""In which precision are the products of an update made? bfloat16 where the processor has it and where that pays."""

from __future__ import annotations

from collections.abc import Sequence

import torch

# From this width on products are most of an update: two thirds of its time are left with 256-128-64, 95 % with
# 128-64-32 (bench/precision.py), where it is not worth a rounding.
WIDE = 256


def dtype_of(asked: str, hidden: Sequence[float], *, has_bfloat16: bool | None = None) -> torch.dtype:
    """Return the type of an update's products for the setting `ppo.update_precision` and the hidden layers' widths.

    "auto" is decided once, when a training begins: a checkpoint keeps what it was, and a resumed run goes on with it.
    """
    if asked != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[asked]
    has = bfloat16_is_fast() if has_bfloat16 is None else has_bfloat16
    return torch.bfloat16 if has and max(hidden) >= WIDE else torch.float32


def bfloat16_is_fast() -> bool:
    """Say whether this processor multiplies in bfloat16 itself; on others it is several times slower than float32."""
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def name_of(dtype: torch.dtype) -> str:
    """Return the type as the setting spells it."""
    return str(dtype).removeprefix("torch.")
