"""Which backend keeps a stack's state, as its files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from .hcl_blocks import module_files, read_source, split_blocks, without_comments
from .hcl_json import read_json_file

__all__ = ["backend_type"]

_BACKEND: Final = re.compile(r'(?m)^\s*backend\s+"?(?P<type>[\w-]+)"?\s*\{|^\s*(?P<cloud>cloud)\s*\{')
_ADDRESS: Final = re.compile(r"(?m)(?:^|\{)\s*address\s*=")


def backend_type(folder: Path) -> str:
    """`s3`, `local`, `cloud`, …; `http` only where the environment says the address; empty where no files say it.

    An http backend whose address the files give is `http elsewhere`: it need not be GitLab's.
    """
    try:
        files = module_files(folder, "either")
    except InputError:
        return ""
    found = "local"  # Terraform's own choice where nothing is said
    for file in files:
        text = read_source(file)
        if file.name.endswith(".json"):
            found = _of_json(read_json_file(text, file)) or found
        elif "backend" in text or "cloud" in text:
            blocks = (block.text for block in split_blocks(text, file.name) if block.kind == "terraform")
            found = next((kind for kind in map(_of_block, blocks) if kind), found)
    return found


def _of_block(text: str) -> str:
    text = without_comments(text)
    match = _BACKEND.search(text)
    if match is None:
        return ""
    kind = match["cloud"] or match["type"]
    return "http elsewhere" if kind == "http" and _ADDRESS.search(text[match.end() - 1 :]) else kind


def _of_json(document: Any) -> str:
    for part in _listed(document.get("terraform") if isinstance(document, dict) else None):
        if "cloud" in part:
            return "cloud"
        for backend in _listed(part.get("backend")):
            for kind, body in backend.items():
                given = any("address" in settings for settings in _listed(body))
                return "http elsewhere" if kind == "http" and given else str(kind)
    return ""


def _listed(value: Any) -> list[dict[str, Any]]:
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)]
