"""What does the grammar say about one place in a file? The JSON Schema of a campaign, and the same in words.

One source for three readers: an editor takes the schema, a person the words in `docs/CAMPAIGN.md` and in an error.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from vbotd.core.campaign_file import LARGEST_COUNT, CampaignFile
from vbotd.core.yaml_guard import Path
from vbotd.domain.skill import SkillCard

Schema = Mapping[str, Any]
MOST_NAMED = 8


@functools.cache
def campaign_schema() -> Schema:
    """Return the JSON Schema of a campaign file, without any skill's block."""
    schema: dict[str, Any] = _tidy(CampaignFile.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "vbotd campaign", **schema}


def schema_with(skills: Mapping[str, SkillCard]) -> Schema:
    """Return the JSON Schema of a campaign file in which the skills' own blocks are checked too."""
    schema = dict(campaign_schema())
    if not skills:
        return schema
    spellings = {spelling: card for card in skills.values()
                 for spelling in (card.name.replace("_", "-"), card.name.replace("-", "_"))}
    definitions = dict(schema.get("$defs", {}))
    blocks = {}
    for spelling, card in sorted(spellings.items()):
        name = "skill_" + card.name.replace("-", "_")
        blocks[spelling] = {"$ref": f"#/$defs/{name}"}
        definitions[name] = {"description": card.summary, **_moved(card.schema or {"type": "object"}, name)}
    item = {"anyOf": [
        {"enum": sorted(spellings)},
        {"type": "object", "properties": blocks, "additionalProperties": False,
         "minProperties": 1, "maxProperties": 1}]}
    properties = dict(schema["properties"])
    properties["skills"] = {**properties["skills"], "items": item}
    return {**schema, "properties": properties, "$defs": definitions}


def _moved(schema: Any, name: str) -> Any:
    """Return a schema whose references still hold when it stands under `$defs/name` of another."""
    if isinstance(schema, Mapping):
        return {key: value.replace("#/", f"#/$defs/{name}/", 1) if key == "$ref" and isinstance(value, str)
                else _moved(value, name) for key, value in schema.items()}
    return [_moved(item, name) for item in schema] if isinstance(schema, list | tuple) else schema


def _tidy(schema: Any) -> Any:
    """Drop pydantic's titles and nulls: an empty value is refused, so no key of a file takes null."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if key not in ("title", "default", "anyOf")
            or (key == "title" and isinstance(value, dict))}
    default = schema.get("default")
    if isinstance(default, dict):
        default = {key: value for key, value in default.items() if value is not None} or None
    if default is not None:
        tidy["default"] = default
    if "anyOf" in schema:
        options = [_tidy(option) for option in schema["anyOf"] if option != {"type": "null"}]
        tidy |= options[0] | tidy if len(options) == 1 else {"anyOf": options}
    return tidy


def schema_at(path: Path) -> Schema:
    """Return the schema of one place in a file, {} where the grammar has no such place."""
    schema = campaign_schema()
    for part in path:
        schema = _resolved(schema)
        if isinstance(part, int):
            schema = schema.get("items", {})
        elif part in schema.get("properties", {}):
            schema = schema["properties"][part]
        else:
            further = schema.get("additionalProperties")
            schema = further if isinstance(further, Mapping) else {}
    return _resolved(schema)


def _resolved(schema: Schema) -> Schema:
    """Follow a reference, if there is one, and keep what is said beside it."""
    if "$ref" not in schema:
        return schema
    target = campaign_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def in_words(schema: Schema) -> str:
    """Return what a schema allows, as a person says it: `a whole number from 1 to 10000`."""
    schema = _resolved(schema)
    if "x-words" in schema:
        return str(schema["x-words"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(in_words(option) for option in schema["anyOf"])
    match schema.get("type"):
        case "integer":
            return "a whole number" + _bounds_in_words(schema)
        case "number":
            return "a number" + _bounds_in_words(schema)
        case "boolean":
            return "true or false"
        case "string":
            return f"a text of at most {schema['maxLength']} characters" if "maxLength" in schema else "a text"
        case "array":
            return _list_in_words(schema)
        case "object":
            names = listed(schema.get("properties", {}))
            values = schema.get("additionalProperties")
            return f"a mapping with {names}" if names else \
                f"a mapping of name to {in_words(values) if isinstance(values, Mapping) else 'value'}"
    return "a value"


def _bounds_in_words(schema: Schema) -> str:
    low, above, high = schema.get("minimum"), schema.get("exclusiveMinimum"), schema.get("maximum")
    if high is not None and high >= LARGEST_COUNT:
        high = None
    if low is not None:
        return f" from {low} to {high}" if high is not None else f", at least {low}"
    if above is not None:
        return f" above {above}" + (f" and up to {high}" if high is not None else "")
    return f" up to {high}" if high is not None else ""


def _list_in_words(schema: Schema) -> str:
    num = schema.get("minItems")
    if num is not None and num == schema.get("maxItems"):
        whole = "whole " if schema.get("items", {}).get("type") == "integer" else ""
        return f"[low, high], {'two' if num == 2 else num} {whole}numbers"
    return f"a list, each {in_words(schema['items'])}" if "items" in schema else "a list"


def listed(names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """Return names in a row, at most eight of them."""
    shown = list(names)
    return ", ".join(shown[:MOST_NAMED]) + (f", and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else "")
