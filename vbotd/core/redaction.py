"""What must never leave the machine in a report, a prompt or an answer? Keys, by their value and by their look.

The rule this protects: redaction is the last thing that happens to an output, so that no tool has to remember it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from vbotd.core.config import Config

MASK = "[redacted]"
SHORTEST = 6  # a shorter value would be found in innocent text
# Names of environment variables that hold secrets, by the custom of those who choose such names.
_SECRET_NAME = re.compile(r"(?i)(key|token|secret|passw(or)?d|passphrase|credentials?)$")
SHORTEST_SECRET = 8
SHORT = 200  # characters: a longer text is seldom seen twice, and not worth the memory

_LOOKS = re.compile("|".join((
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    r"\b[sprx]k[-_](?=[\w-]*\d)[\w-]{12,}",
    r"\b(?:gh[pousr]|github_pat|hf|npm|pypi|dop_v1|shpat)[-_][A-Za-z0-9_]{16,}",
    r"\bglpat-[\w-]{16,}",
    r"\bxox[a-z]-[\w-]{10,}",
    r"\bA[KS]IA[0-9A-Z]{16}\b",
    r"\bAIza[\w-]{30,}",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
)), re.DOTALL)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_NAMED = re.compile(r"(?i)((?:api|access|private|secret|auth)[_-]?key|secret|token|passw(?:or)?d|passphrase"
                    r"|authorization)"
                    r"([\"']?\s*[:=]\s*[\"']?)(?!\[redacted)([^\s\"',;)}\]]{6,})")
# The report breaks a URL so that no viewer makes a link of it; it is found all the same.
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}: ?//)[^\s/@:]+:[^\s/@(]+(?:@|\(at\))")


def redact_text(text: str, known: Iterable[str] = ()) -> str:
    """Return a text without the secrets that are known by value, and without what looks like a key."""
    return (_short_text if len(text) <= SHORT else _text)(text, tuple(known))


def _text(text: str, known: tuple[str, ...]) -> str:
    for secret in sorted({each for each in known if len(each) >= SHORTEST}, key=len, reverse=True):
        text = _without_halves(text.replace(secret, MASK), secret)
    text = _LOOKS.sub(MASK, text)
    # Where no word that an expression needs is in a text, it need not be tried at each of its letters. Without the
    # letter i, which has more forms than folding knows.
    folded = text.casefold()
    if "bearer" in folded or "bas" in folded:
        text = _BEARER.sub(rf"\1 {MASK}", text)
    if any(word in folded for word in ("key", "secret", "token", "pass", "author")):
        text = _NAMED.sub(rf"\1\2{MASK}", text)
    return _USERINFO.sub(rf"\1{MASK}@", text) if "//" in text else text


# A report says mostly what the last one said, half a minute ago: ids, names, short sentences.
_short_text = lru_cache(maxsize=4096)(_text)


def _without_halves(text: str, secret: str) -> str:
    """Return a text without the part of a secret that was left of it where a long text was cut."""
    if "…" not in text and "<<" not in text:
        return text
    for length in range(len(secret) - 1, SHORTEST - 1, -1):
        text = text.replace(f"{secret[:length]}…", f"{MASK}…").replace(f"<<{secret[-length:]}", f"<<{MASK}")
    return text


def redact(value: Any, known: Iterable[str] = ()) -> Any:
    """Return a JSON value with every text in it redacted, keys of objects included."""
    secrets = tuple(known)
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        return {redact_text(str(key), secrets): redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    return value


def secrets_of(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values that no output may hold: those of variables that the configuration names, or that look so."""
    named = {value for value in _values_of_env_keys(config.model_dump()) if value in environ}
    alike = {name for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET}
    return tuple(sorted({environ[name].strip() for name in named | alike} - {""}))


def _values_of_env_keys(value: object) -> set[str]:
    """Return the names of variables anywhere in a configuration, which stand under keys that end with `_env`."""
    found: set[str] = set()
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and str(key).endswith("_env"):
                found.add(item)
            else:
                found |= _values_of_env_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            found |= _values_of_env_keys(item)
    return found
