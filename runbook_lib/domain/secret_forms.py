"""The forms in which one secret value turns up: as it is, and encoded."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

__all__ = ["forms_of"]

# Shorter pieces of base64 or single lines would match by chance.
SHORTEST_PIECE = 8


def forms_of(value: str) -> set[str]:
    """Every text whose presence gives the value away."""
    forms = {value, *_lines(value)}
    forms |= {encoded for text in tuple(forms) for encoded in _escaped(text)}
    raw = value.encode("utf-8", "surrogatepass")
    forms |= {raw.hex(), raw.hex().upper()}
    forms |= {piece for offset in range(3) for piece in _base64_pieces(raw, offset)}
    return {form for form in forms if len(form) >= SHORTEST_PIECE}


def _lines(value: str) -> set[str]:
    # A value over several lines is also cut at their ends, by a notebook's file format among others.
    lines = [line.strip() for line in value.splitlines()]
    # The header of a key file is no secret and stands in many texts.
    return {line for line in lines if len(line) >= 16 and not line.startswith("-----")} if len(lines) > 1 else set()


def _escaped(text: str) -> set[str]:
    as_json = json.dumps(text)[1:-1]
    in_addresses = {quote(text, safe=""), quote(text), quote_plus(text)}
    return {
        *in_addresses,
        # Some write the codes small, or all of it.
        quote(text, safe="").lower() if quote(text, safe="") != text else text,
        *(re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in in_addresses),
        as_json,
        json.dumps(as_json)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        html.escape(text),
        html.escape(text, quote=False),
        # Jinja's way to write quotes, and XML's.
        html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        html.escape(text).replace("&#x27;", "&apos;"),
    }


def _base64_pieces(raw: bytes, offset: int) -> set[str]:
    # Inside a longer text (`user:secret`) the same bytes encode in three ways, by their place; the characters at both
    # ends also depend on the neighbours and are left out.
    pieces = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(b"\0" * offset + raw).decode().rstrip("=")
        start = (0, 2, 3)[offset]
        end = len(text) if (offset + len(raw)) % 3 == 0 else len(text) - 1
        pieces.add(text[start:end])
    return pieces
