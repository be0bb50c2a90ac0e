"""What the channel hears of temporary access: what has expired and is open all the same, and what ends when."""

from __future__ import annotations

from typing import Final

from ...models.endings import EndingKind, StackEndings
from ...models.messages import Message
from ...wording import join
from .blocks import Block, actions, bullets, compose, context, header, link_button, section
from .text import code, line, plural

__all__ = ["access_ends"]

_MOST: Final = 10
_TITLES: Final = {
    EndingKind.EXPIRED: ":rotating_light: *Expired, still open*",
    EndingKind.UNREADABLE: ":warning: *Nobody can read when this ends*",
    EndingKind.ENDS: ":hourglass_flowing_sand: *Ends soon*",
}


def access_ends(found: StackEndings, pipeline_url: str = "") -> Message:
    """What of a stack ends soon, or should have ended, and was not told before."""
    over = sum(1 for one in found.new if one.kind is EndingKind.EXPIRED)
    title = f"{plural(over, 'rule')} expired and still open" if over else f"{plural(len(found.new), 'rule')} to end"
    blocks: list[Block] = [header(f":hourglass_flowing_sand: {line(found.stack, 50)}: {title}")]
    for kind, word in _TITLES.items():
        lines = [f"• {code(one.sentence, 400)}" for one in found.new if one.kind is kind]
        if lines:
            blocks.append(section(f"{word}\n{bullets(lines, _MOST)}"))
    told = len(found.endings) - len(found.new)
    if told:
        blocks.append(context(f"{plural(told, 'rule')} more, told before."))
    buttons = actions(link_button("Open the issue", found.issue), link_button("Open the pipeline", pipeline_url))
    spoken = f"{found.stack}: {title}: {join([one.sentence for one in found.new])}."
    return compose(spoken, blocks, buttons)
