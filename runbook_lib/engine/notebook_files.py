"""Reading notebooks: lightly, for what they declare, and whole, for their execution."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["light_imports", "load_notebook", "read_notebook"]

SLOW = ("rfc3987_syntax", "boto3")


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook as plain data, sources as texts; InputError if it is missing or is none.

    nbformat is not needed for that, and importing it takes longer than starting a kernel.
    """
    try:
        nb = json.loads(path.read_text(encoding="utf-8"))
        if nb.get("nbformat") != 4:
            return dict(load_notebook(path))
        for cell in nb["cells"]:
            source = cell["source"]
            cell["source"] = source if isinstance(source, str) else "".join(source)
            cell["cell_type"], cell["metadata"]
        nb["metadata"]
    except FileNotFoundError as error:
        raise InputError(f"there is no notebook {path.name}", f"Look in {path.parent}.") from error
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path.name} is no notebook: {error}", "Restore it from the repository.") from error
    return dict(nb)


def load_notebook(path: Path) -> NotebookNode:
    """The notebook as nbformat's node, brought to version 4."""
    with light_imports():
        import nbformat
    try:
        nb: NotebookNode = nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"{path.name} is no notebook: {error}", "Restore it from the repository.") from error
    return nb


@contextmanager
def light_imports() -> Iterator[None]:
    """While nbformat and papermill are imported, keep out what makes them slow.

    jsonschema, which nbformat imports, takes rfc3987_syntax if it can: that builds a grammar for a whole second, to
    check a kind of address that no notebook has. papermill takes boto3, to read notebooks from S3.
    """
    blocked = [name for name in SLOW if name not in sys.modules]
    # Python's way to say that they can't be imported.
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in blocked:
            sys.modules.pop(name, None)
