"""What the channel hears of drift: what is new, and what is gone."""

from __future__ import annotations

from ...models.base import Outcome
from ...models.drift import DriftNews
from ...models.messages import Message
from .blocks import Block, actions, bullets, compose, context, header, link_button, section
from .text import code, line, plural, prose
from .words import SIGNS

__all__ = ["drift_news", "open_review"]

MOST = 10


def drift_news(news: DriftNews) -> Message:
    """What is new or gone since the last look at a stack; or that it could not be looked at, and why."""
    if news.outcome is Outcome.ERRORED:
        title, body = "could not be verified", [section(prose(news.summary))]
    else:
        told = [f"{len(news.new)} new"] if news.new else []
        told += [f"{len(news.gone)} gone"] if news.gone else []
        title = f"drift, {', '.join(told)}" if news.entries else "no drift any more"
        body = [*_part("New", news.new), *_part("Gone", news.gone)]
        if news.same:
            body.append(context(f"{plural(len(news.same), 'difference')} as before."))
    head = header(f"{SIGNS[news.outcome]} {line(news.stack, 50)}: {title}")
    buttons = actions(link_button("Open the issue", news.issue), link_button("Open the pipeline", news.pipeline_url))
    return compose(f"{news.stack}: {title} (run {news.run_id})", [head, *body], buttons)


def open_review(sentence: str, url: str) -> Message:
    """That what one person approved alone still waits for others to look at it."""
    body = [section(f":rotating_light: *A review is open*\n{prose(sentence)}")]
    return compose(f"A review is open: {sentence} {url}", body, actions(link_button("Open the issue", url)))


def _part(word: str, entries: tuple[object, ...]) -> list[Block]:
    lines = [f"• {code(getattr(entry, 'text', ''), 300)}" for entry in entries]
    return [section(f"*{word}*\n{bullets(lines, MOST)}")] if lines else []
