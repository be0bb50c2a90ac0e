"""`make fuzz`: 100,000 outputs, sources and parameters with secrets planted in them, some of them hostile.

    python -m benchmarks.fuzz_masking [--inputs 100000] [--seed 1]

Each is masked as the engine does it. None may take longer than a second of processor time; no secret may be left;
what was a valid notebook, JSON, a page or a picture must still be one; and sources that are executed in place must
stay as they are.
"""

from __future__ import annotations

import argparse
import base64
import copy
import json
import random
import string
import sys
import time
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from benchmarks.mutations import damage
from runbook_lib.domain.redaction import FINDERS, WITHHELD, Redactor
from runbook_lib.domain.secret_patterns import SecretPattern
from runbook_lib.engine.endings import CellStatus, Ending, EndingKind
from runbook_lib.engine.options import EngineOptions
from runbook_lib.engine.outputs import CellOutputs
from runbook_lib.engine.record import NotebookRecord

MOST_SECONDS = 1.0
LETTERS = string.ascii_letters + string.digits
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3).decode()
HINTS = sorted({hint for finder in FINDERS for hint in finder.hints})
EXAMPLES = [finder.caught for finder in FINDERS if isinstance(finder, SecretPattern)]
FILLERS = [
    "a",
    " ",
    "\\",
    '"',
    "'",
    "&quot;",
    "=",
    ":",
    "{",
    "@",
    "/",
    "\n",
    "\x1b[31m",
    "<b>",
    "é",
    "İ",
    "\U0001f600",
    "[MASKED]",
]


class Silent:
    """Hears nothing."""

    def text(self, stream: str, text: str) -> None:
        """Nothing."""


class Tags(HTMLParser):
    """The tags of a page, one after the other."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One is opened."""
        self.tags.append(f"{tag} {' '.join(name for name, _ in attrs)}")

    def handle_endtag(self, tag: str) -> None:
        """One is closed."""
        self.tags.append(f"/{tag}")


def secret(generator: random.Random) -> str:
    """What nobody would write by chance; now and then with characters that are written in other ways."""
    letters = LETTERS if generator.random() < 0.7 else LETTERS + "/&%+'\"\\ @"
    return "Zq7" + "".join(generator.choice(letters) for _ in range(generator.randint(9, 40))) + "x9"


def around(planted: str, generator: random.Random) -> str:
    """The secret as it is, or in one of the forms that it takes."""
    return generator.choice((planted, planted, json.dumps(planted), repr(planted), planted.encode().hex()))


def named(planted: str, generator: random.Random) -> str:
    """An unknown secret that its name gives away."""
    plain = "".join(character for character in planted if character in LETTERS)
    patterns = (
        'password = "{}"', "DB_PASSWORD={}", '{{"api_token": "{}"}}', "password: {}", "https://user:{}@host.example.com/",
        '{{"name": "X_SECRET", "value": "{}"}}', "Server=db;Uid=a;Pwd={};", "machine h login l password {}",
        "curl -u user:{} https://host", '~ secret = "{}" -> null', "--password {}", "mysql -p{} app",
    )  # fmt: skip
    return generator.choice(patterns).format(plain)


def noise(generator: random.Random) -> str:
    """Anything, and what patterns look for in a bad order."""
    kind = generator.random()
    if kind < 0.4:
        pieces = [generator.choice(HINTS + FILLERS + EXAMPLES) for _ in range(generator.randint(0, 12))]
        return "".join(pieces)
    if kind < 0.5:
        return generator.choice(HINTS + FILLERS) * generator.randint(1, 4000)
    if kind < 0.9:
        return damage(generator.choice(EXAMPLES).encode(), generator).decode("utf-8", "replace")
    return "".join(chr(generator.randrange(32, 0x250)) for _ in range(generator.randint(0, 200)))


class Case:
    """One input: the masker with its known secrets, and what must not be seen."""

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.known, self.unknown = secret(generator), secret(generator)
        self.unknown = "".join(character for character in self.unknown if character in LETTERS)
        self.redactor = Redactor({"FUZZ_PASSWORD": self.known})

    def text(self) -> str:
        """A text with secrets in it; what stands around an unknown one does not reach over its line."""
        generator = self.generator
        pieces = [noise(generator), around(self.known, generator), noise(generator)]
        return "".join(pieces) + "\n\n" + named(self.unknown, generator) + "\n\n" + noise(generator)

    def clean(self, text: str) -> bool:
        """Whether none is left."""
        return self.known not in text and json.dumps(self.known)[1:-1] not in text and self.unknown not in text


def outputs(case: Case) -> str | None:
    """A cell that shows all kinds of things; gives what is wrong."""
    sent = case.text()
    pieces = case.generator.sample(range(len(sent) + 1), min(3, len(sent)))
    kept = CellOutputs(case.redactor, EngineOptions(), Silent())
    shown: list[Any] = []
    kept.begin(0, None)
    for begin, end in zip([0, *sorted(pieces)], [*sorted(pieces), len(sent)], strict=True):
        kept.stream(shown, "stdout", sent[begin:end])
    tree = {"a": [1, None, case.text()], "api_token": case.unknown, "x": {"name": "MY_PASSWORD", "value": case.unknown}}
    page = f'<div title="{_attribute(case.known)}"><p>{_escaped(case.text())}</p><br/></div>'
    for mime, value in (
        ("application/json", tree),
        ("text/html", page),
        ("image/png", PNG),
        ("text/plain", case.text()),
    ):
        output = new_output("display_data", data={mime: copy.deepcopy(value)})
        if kept.accept(shown, output):
            shown.append(output)
    error = new_output("error", ename="ValueError", evalue=case.text(), traceback=case.text().split("\n"))
    if kept.accept(shown, error):
        shown.append(error)
    kept.finish()
    nbformat.validate(new_notebook(cells=[new_code_cell("", outputs=shown)]))
    data = {mime: value for output in shown for mime, value in output.get("data", {}).items()}
    if data["image/png"] != PNG:
        return "the picture is another one"
    if data["application/json"].keys() != tree.keys() or data["application/json"]["a"][:2] != [1, None]:
        return "the JSON has another shape"
    if WITHHELD not in data["text/html"] and Tags(data["text/html"]).tags != Tags(page).tags:
        return "the page has other tags"
    return None if case.clean(json.dumps(shown, ensure_ascii=False)) else "a secret is left in the outputs"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    return _escaped(text).replace('"', "&quot;")


def sources(case: Case) -> str | None:
    """A notebook that is executed in place, and the same to another place."""
    for in_place in (True, False):
        source = case.text()
        nb = new_notebook(cells=[new_code_cell(source, metadata={"note": case.known})])
        nb.metadata["papermill"] = nbformat.from_dict({"parameters": {}})
        record = NotebookRecord(nb, case.redactor, in_place=in_place)
        record.begin()
        record.cell_started(0)
        record.cell_ended(0, CellStatus.COMPLETED)
        record.end(Ending(EndingKind.COMPLETED))
        written = nbformat.reads(record.render().decode(), as_version=4)
        nbformat.validate(written)
        if in_place and (
            nb.cells[0].source != source
            or _joined(written.cells[0].source) != source.encode("utf-8", "replace").decode()
        ):
            return "a source was changed in place"
        if not in_place and not case.clean(json.dumps(written, ensure_ascii=False)):
            return "a secret is left in the source"
    return None


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def parameters(case: Case) -> str | None:
    """Parameters, some of them called like secrets."""
    nb = new_notebook(
        cells=[new_code_cell(f"api_token = {case.unknown!r}", metadata={"tags": ["injected-parameters"]})]
    )
    given = {
        "note": case.text(),
        "api_token": case.unknown,
        "size": 3,
        "list": [case.known, {"db_password": case.unknown}],
    }
    nb.metadata["papermill"] = nbformat.from_dict({"parameters": given})
    record = NotebookRecord(nb, case.redactor, in_place=case.generator.random() < 0.5)
    record.begin()
    record.end(Ending(EndingKind.EXCEPTION, "ValueError", case.text(), 0, 0))
    written = record.render().decode()
    nbformat.validate(nbformat.reads(written, as_version=4))
    if json.loads(written)["metadata"]["papermill"]["parameters"]["size"] != 3:
        return "a parameter is lost"
    return None if case.clean(written) else "a secret is left in the parameters"


KINDS: dict[str, Callable[[Case], str | None]] = {"outputs": outputs, "sources": sources, "parameters": parameters}


def main() -> int:
    """Try them all; the first one that goes wrong is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong: Counter[str] = Counter()
    for name, kind in KINDS.items():
        began = time.perf_counter()
        longest = 0.0
        for number in range(given.inputs // len(KINDS)):
            seed = f"{given.seed}/{name}/{number}"
            started = time.process_time()
            try:
                found = kind(Case(random.Random(seed)))
            except Exception as error:  # noqa: BLE001  whatever it is, nothing may come out
                found = f"{type(error).__name__}: {error}"
            took = time.process_time() - started
            longest = max(longest, took)
            if found or took > MOST_SECONDS:
                wrong[name] += 1
                print(f"{seed}: {found or f'took {took:.1f} s'}", file=sys.stderr, flush=True)
        print(f"{name:10}  {given.inputs // len(KINDS):6} inputs in {time.perf_counter() - began:6.1f} s, "
              f"the longest {longest:.2f} s: {wrong[name]} wrong", flush=True)  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
