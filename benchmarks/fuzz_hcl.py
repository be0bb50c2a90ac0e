"""`make fuzz-hcl`: what is evaluated from files alone against Terraform itself, over generated expressions.

    python -m benchmarks.fuzz_hcl [--count 2000] [--seed 1] [--show 20]

Whatever is not unknown must be what Terraform says. Exit status 1 at the first seed with a difference; each is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.adapters.hcl_expression import parse_expression
from runbook_lib.adapters.hcl_values import evaluate
from runbook_lib.adapters.terraform_binary import find_binary
from runbook_lib.models.base import UNKNOWN

__all__ = ["Difference", "differences", "generate"]


class _Error:
    """What Terraform refuses."""

    def __repr__(self) -> str:
        return "an error"


ERROR = _Error()


class NoNames:
    """A module in which nothing has a name."""

    def value(self, path: tuple[str, ...]) -> Any:
        """Nothing is known."""
        return UNKNOWN

    def refers_to(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """Nothing is meant."""
        return ()

    def address(self, path: tuple[str, ...], key: str) -> str | None:
        """Nothing is there."""
        return None


@dataclass(frozen=True)
class Difference:
    """An expression, what we make of it, and what Terraform does."""

    expression: str
    ours: Any
    theirs: Any


class Grammar:
    """Random expressions of the kinds that rules are made with; depth bounds their size."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def any(self, depth: int) -> str:
        """An expression of any kind."""
        kinds: list[Callable[[int], str]] = [self.number, self.text, self.boolean, self.sequence, self.mapping]
        return self._pick(kinds)(depth)

    def number(self, depth: int) -> str:
        """Mostly one that gives a number."""
        if depth <= 0 or self._one_in(4):
            return self._pick(["0", "1", "2", "3", "7", "22", "80", "443", "65535", "-1", "-7", "1.5", "null", '"8"'])
        one, two = (lambda: self.number(depth - 1)), (lambda: self.sequence(depth - 1))
        return self._pick([
            f"({one()} {self._pick(['+', '-', '*', '/', '%'])} {one()})", f"-{one()}", f"length({self.any(depth - 1)})",
            f"max({one()}, {one()})", f"min({one()}, {one()})", f"abs({one()})", f"sum({two()})",
            f"tonumber({self.text(depth - 1)})", f"element({two()}, {one()})", f"{two()}[{one()}]", f"one({two()})",
            f"coalesce({one()}, {one()})", f"({self.boolean(depth - 1)} ? {one()} : {one()})",
            f'lookup({self.mapping(depth - 1)}, "a", {one()})',
        ])  # fmt: skip

    def text(self, depth: int) -> str:
        """Mostly one that gives a text."""
        if depth <= 0 or self._one_in(4):
            texts = [
                '""',
                '"a"',
                '"b"',
                '"10.0.0.0/8"',
                '"0.0.0.0/0"',
                '"22"',
                '"-5"',
                '"1.50"',
                '"true"',
                '"ä b"',
                "null",
            ]
            return self._pick(texts)
        one, two = (lambda: self.text(depth - 1)), (lambda: self.sequence(depth - 1))
        return self._pick([
            f'"x${{{self.any(depth - 1)}}}y"', f'"${{{self.any(depth - 1)}}}"', f"upper({one()})", f"lower({one()})",
            f"trimspace({one()})", f"join({one()}, {two()})", f'format("%s-%d%%", {one()}, {self.number(depth - 1)})',
            f"replace({one()}, {one()}, {one()})", f"tostring({self.any(depth - 1)})", f"trimprefix({one()}, {one()})",
            f"coalesce({one()}, {one()})", f"cidrsubnet({one()}, {self.number(1)}, {self.number(1)})",
            f"jsonencode({self.any(depth - 1)})", f"({self.boolean(depth - 1)} ? {one()} : {one()})",
            f"{self.mapping(depth - 1)}.a", f'{self.mapping(depth - 1)}["b"]',
        ])  # fmt: skip

    def boolean(self, depth: int) -> str:
        """Mostly one that gives a boolean."""
        if depth <= 0 or self._one_in(4):
            return self._pick(["true", "false", '"true"', '"false"', "null"])
        one, some = (lambda: self.boolean(depth - 1)), (lambda: self.any(depth - 1))
        return self._pick([
            f"!{one()}", f"({one()} {self._pick(['&&', '||'])} {one()})",
            f"({some()} {self._pick(['==', '!='])} {some()})",
            f"({self.number(depth - 1)} {self._pick(['<', '>', '<=', '>='])} {self.number(depth - 1)})",
            f"contains({self.sequence(depth - 1)}, {some()})",
            f"startswith({self.text(depth - 1)}, {self.text(depth - 1)})", f"tobool({self.any(depth - 1)})",
        ])  # fmt: skip

    def sequence(self, depth: int) -> str:
        """Mostly one that gives a list or a set."""
        if depth <= 0 or self._one_in(5):
            return self._pick(
                ['["a", "b"]', '["b", "a", "b"]', "[1, 2, 3]", "[]", "[22, 80]", '[1, "a"]', "[null]", "[true, 1]"]
            )
        one, item = (lambda: self.sequence(depth - 1)), (lambda: self.any(depth - 1))
        return self._pick([
            f"[{item()}, {item()}]", f"concat({one()}, {one()})", f"flatten([{one()}, {one()}])", f"distinct({one()})",
            f"toset({one()})", f"tolist({one()})", f"sort({one()})", f"reverse({one()})", f"compact({one()})",
            f"range({self.number(1)})", f"range({self.number(1)}, {self.number(1)})",
            f"range({self.number(1)}, {self.number(1)}, {self.number(1)})",
            f"slice({one()}, {self.number(1)}, {self.number(1)})",
            f"split({self.text(depth - 1)}, {self.text(depth - 1)})",
            f"keys({self.mapping(depth - 1)})", f"values({self.mapping(depth - 1)})", f"setunion({one()}, {one()})",
            f"setsubtract({one()}, {one()})", f"setproduct({one()}, {one()})", f'formatlist("%s", {one()})',
            f"[for v in {one()} : v]", f"[for k, v in {one()} : k]",
            f"[for k, v in {self.mapping(depth - 1)} : v if {self.boolean(depth - 1)}]",
            f"{one()}[*]", f"{self.any(depth - 1)}[*]", f"jsondecode({self.text(depth - 1)})",
        ])  # fmt: skip

    def mapping(self, depth: int) -> str:
        """Mostly one that gives an object or a map."""
        if depth <= 0 or self._one_in(4):
            return self._pick(
                ['{ a = 1, b = "x" }', "{}", "{ a = 1, b = 2 }", '{ b = "y" }', '{ "10" = 1, "9" = 2, a = 3 }']
            )
        one, items = (lambda: self.mapping(depth - 1)), (lambda: self.sequence(depth - 1))
        return self._pick([
            f"merge({one()}, {one()})", f"tomap({one()})", f"zipmap({items()}, {items()})",
            f"{{ for v in {items()} : v => v }}", f"{{ for v in {items()} : v => 1... }}",
            f"{{ for k, v in {one()} : k => v }}", f"{{ a = {self.any(depth - 1)}, b = {self.any(depth - 1)} }}",
        ])  # fmt: skip

    def _pick(self, among: Any) -> Any:
        return self._random.choice(among)

    def _one_in(self, count: int) -> bool:
        return self._random.randrange(count) == 0


def generate(count: int, seed: int) -> list[str]:
    """So many different expressions, none of them long."""
    grammar, found = Grammar(seed), dict[str, None]()
    while len(found) < count:
        expression = grammar.any(3)
        if len(expression) < 400:
            found[expression] = None
    return list(found)


def differences(expressions: list[str]) -> tuple[list[Difference], int]:
    """Those of which we are certain otherwise than Terraform is, and of how many we are certain."""
    certain = [(text, value) for text in expressions if (value := _ours(text)) is not UNKNOWN]
    answers = _terraform([text for text, _ in certain])
    pairs = zip(certain, answers, strict=True)
    return [Difference(text, ours, theirs) for (text, ours), theirs in pairs if not _same(ours, theirs)], len(certain)


def _ours(text: str) -> Any:
    value = evaluate(parse_expression(text), NoNames(), {})
    return UNKNOWN if "unknown" in repr(value) else value


def _same(ours: Any, theirs: Any) -> bool:
    # What Terraform refuses can't be applied: to have been certain of it does no harm.
    return theirs is ERROR or json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def _terraform(expressions: list[str]) -> list[Any]:
    """What each gives, in a list of one; the text `error` where it is an error."""
    binary = find_binary(os.environ.get("RUNBOOK_TERRAFORM", ""), "1.5.0", os.environ)
    outputs = (
        f'output "e{number}" {{\n  value = jsonencode(try([{text}], "error"))\n}}\n'
        for number, text in enumerate(expressions)
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf").write_text("".join(outputs), encoding="utf-8")
        for command in (["init"], ["plan", "-input=false", "-no-color", "-out=plan"], ["show", "-json", "plan"]):
            arguments = [*binary.command, *command]
            done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"terraform {command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    answers = json.loads(done.stdout)["planned_values"]["outputs"]
    return [_answer(json.loads(answers[f"e{number}"]["value"])) for number in range(len(expressions))]


def _answer(answer: Any) -> Any:
    return answer[0] if isinstance(answer, list) else ERROR


def main() -> int:
    """Print how many were certain, and every difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20)
    given = parser.parse_args()
    found, certain = differences(generate(given.count, given.seed))
    for difference in found[: given.show]:
        print(f"{difference.expression}\n  ours:      {difference.ours!r}\n  Terraform: {difference.theirs!r}")
    print(f"{given.count} expressions (seed {given.seed}): {certain} certain, {len(found)} of them wrongly")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
