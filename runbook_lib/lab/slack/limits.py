"""Slack's limits on blocks, and its words for what breaks them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .errors import SlackRefusal

__all__ = ["BLOCKS_TOTAL", "check_blocks"]

BLOCKS_TOTAL = 13_200  # Slack publishes no figure; callers have measured about this many characters.

Problems = Iterator[str]


def check_blocks(blocks: Any) -> list[dict[str, Any]]:
    """The blocks, if Slack would take them; SlackRefusal `invalid_blocks` or `msg_blocks_too_long` if not."""
    if isinstance(blocks, str):
        blocks = _decoded(blocks)
    problems = list(_blocks(blocks))
    if problems:
        raise SlackRefusal("invalid_blocks", *problems)
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > BLOCKS_TOTAL:
        raise SlackRefusal("msg_blocks_too_long")
    return list(blocks)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise SlackRefusal("invalid_blocks_format") from None


def _blocks(blocks: Any) -> Problems:
    if not isinstance(blocks, list):
        yield "must be an array [json-pointer:/blocks]"
        return
    if len(blocks) > 50:
        yield "no more than 50 items allowed [json-pointer:/blocks]"
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        yield from _block(block, f"/blocks/{number}", seen)


def _block(block: Any, at: str, seen: set[str]) -> Problems:
    kind = block.get("type") if isinstance(block, dict) else None
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        yield f"unsupported type: {kind} [json-pointer:{at}/type]"
        return
    block_id = block.get("block_id")
    if block_id is not None:
        yield from _string(block_id, f"{at}/block_id", 255)
        if block_id in seen:
            yield f"block_id must be unique [json-pointer:{at}/block_id]"
        seen.add(str(block_id))
    yield from check(block, at)


def _string(value: Any, at: str, limit: int) -> Problems:
    if not isinstance(value, str):
        yield f"must be a string [json-pointer:{at}]"
    elif not value:
        yield f"must be more than 0 characters [json-pointer:{at}]"
    elif len(value) > limit:
        yield f"must be less than {limit + 1} characters [json-pointer:{at}]"


def _text(value: Any, at: str, limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Problems:
    if not isinstance(value, dict):
        yield f"missing required field: text [json-pointer:{at}]"
        return
    if value.get("type") not in kinds:
        yield f"must be a valid enum value [json-pointer:{at}/type]"
    yield from _string(value.get("text"), f"{at}/text", limit)


def _items(block: dict[str, Any], key: str, at: str, limit: int) -> Iterator[tuple[Any, str]]:
    for number, item in enumerate(block[key][:limit]):
        yield item, f"{at}/{key}/{number}"


def _count(block: dict[str, Any], key: str, at: str, limit: int) -> Problems:
    items = block.get(key)
    if not isinstance(items, list) or not items:
        yield f"missing required field: {key} [json-pointer:{at}]"
    elif len(items) > limit:
        yield f"no more than {limit} items allowed [json-pointer:{at}/{key}]"


def _header(block: dict[str, Any], at: str) -> Problems:
    yield from _text(block.get("text"), f"{at}/text", 150, ("plain_text",))


def _section(block: dict[str, Any], at: str) -> Problems:
    if block.get("text") is None and not block.get("fields"):
        yield f"missing required field: text or fields [json-pointer:{at}]"
    if block.get("text") is not None:
        yield from _text(block["text"], f"{at}/text", 3000)
    if block.get("fields") is not None:
        problems = list(_count(block, "fields", at, 10))
        yield from problems
        if isinstance(block["fields"], list):
            for field, where in _items(block, "fields", at, 10):
                yield from _text(field, where, 2000)
    if block.get("accessory") is not None:
        yield from _element(block["accessory"], f"{at}/accessory")


def _context(block: dict[str, Any], at: str) -> Problems:
    problems = list(_count(block, "elements", at, 10))
    yield from problems
    if isinstance(block.get("elements"), list):
        for element, where in _items(block, "elements", at, 10):
            if isinstance(element, dict) and element.get("type") == "image":
                yield from _image(element, where)
            else:
                yield from _text(element, where, 3000)


def _actions(block: dict[str, Any], at: str) -> Problems:
    problems = list(_count(block, "elements", at, 25))
    yield from problems
    if isinstance(block.get("elements"), list):
        for element, where in _items(block, "elements", at, 25):
            yield from _element(element, where)


def _element(element: Any, at: str) -> Problems:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "image":
        yield from _image(element, at)
    elif kind == "button":
        yield from _button(element, at)
    else:
        yield f"unsupported type: {kind} [json-pointer:{at}/type]"


def _button(button: dict[str, Any], at: str) -> Problems:
    yield from _text(button.get("text"), f"{at}/text", 75, ("plain_text",))
    for key, limit in (("action_id", 255), ("value", 2000), ("url", 3000)):
        if button.get(key) is not None:
            yield from _string(button[key], f"{at}/{key}", limit)
    if button.get("url") is not None and not str(button["url"]).startswith(("http://", "https://", "slack://")):
        yield f"invalid url [json-pointer:{at}/url]"
    if button.get("style") not in {None, "primary", "danger"}:
        yield f"must be a valid enum value [json-pointer:{at}/style]"


def _image(image: dict[str, Any], at: str) -> Problems:
    yield from _string(image.get("image_url"), f"{at}/image_url", 3000)
    yield from _string(image.get("alt_text"), f"{at}/alt_text", 2000)


def _markdown(block: dict[str, Any], at: str) -> Problems:
    yield from _string(block.get("text"), f"{at}/text", 12_000)


def _divider(_block: dict[str, Any], _at: str) -> Problems:
    return iter(())


_CHECKS: dict[str, Callable[[dict[str, Any], str], Problems]] = {
    "actions": _actions,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "markdown": _markdown,
    "section": _section,
}
