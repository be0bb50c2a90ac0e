"""`make fuzz-hcl`: what is evaluated from files alone against Terraform itself, over generated expressions.

    python -m benchmarks.fuzz_hcl [--count 2000] [--seed 1] [--show 20]

Whatever is not unknown must be what Terraform says. Exit status 1 at the first seed with a difference; each is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
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


_LEAVES = {
    "N": ["0", "1", "2", "3", "7", "22", "80", "443", "65535", "-1", "-7", "1.5", "null", '"8"', "1e3", "2.50", "007"],
    "T": ['""', '"a"', '"b"', '"10.0.0.0/8"', '"0.0.0.0/0"', '"22"', '"-5"', '"1.50"', '"true"', '"ä b"', "null",
          r'"\u00e9\n"', '"$${a}"', '" c "', '"e\u0301"'],
    "B": ["true", "false", '"true"', '"false"', "null"],
    "S": ['["a", "b"]', '["b", "a", "b"]', "[1, 2, 3]", "[]", "[22, 80]", '[1, "a"]', "[null]", "[true, 1]"],
    "M": ['{ a = 1, b = "x" }', "{}", "{ a = 1, b = 2 }", '{ b = "y" }', '{ "10" = 1, "9" = 2, a = 3 }',
          "{ a : 1\n ä = 2, }"],
    "V": ["v", "v", "größe", "x-1"],
    "C": [" /* \" */ ", " # c\n", " // \"c\n", "\n", " ", " /* c */ "],
}  # fmt: skip
# What stands between < and > is generated in turn; the operators are one of those that a text names.
_KINDS = {
    "N": [
        "(<N> <+> <N>)", "-<N>", "length(<A>)", "max(<N>, <N>)", "min(<N>, <N>)", "abs(<N>)", "sum(<S>)",
        "tonumber(<T>)", "element(<S>, <N>)", "<S>[<N>]", "one(<S>)", "coalesce(<N>, <N>)", "(<B> ? <N> : <N>)",
        'lookup(<M>, "a", <N>)', "(<C><N><C> <+><C> <N><C>)", "-(-<N>)", "<S>.0", "try(<N>, <N>)", "max(<S>...)",
        "coalesce(<S>...)", "try(coalesce(<N>, <N>), <N>)", "max(<N><C>,<C><N>,)",
    ],
    "T": [
        '"x${<A>}y"', '"${<A>}"', "upper(<T>)", "lower(<T>)", "trimspace(<T>)", "join(<T>, <S>)",
        'format("%s-%d%%", <T>, <N>)', "replace(<T>, <T>, <T>)", "tostring(<A>)", "trimprefix(<T>, <T>)",
        "coalesce(<T>, <T>)", "cidrsubnet(<T>, <N>, <N>)", "jsonencode(<A>)", "(<B> ? <T> : <T>)", "<M>.a",
        '<M>["b"]', '"x ${~ <T> ~} y"', '"${~ <T> ~}"', '" ${<T> ~}\n y${~ <N> } "'.replace("\n", r"\n"),
        '"%{ if <B> }${<T>}%{ else }n%{ endif }"', '"a %{~ if <B> ~} b %{~ endif ~} c"',
        '"%{ for v in <S> }${v},%{ endfor }"', '"%{ for k, v in <M> ~} ${k}=${v} %{~ endfor }"', "<<E\n<L><L>E\n",
        "<<-E\n<L><L><L>    E\n", "try(<T>, <T>)", "try(<M>.c, <T>)", 'try(<M>["a"], <M>.b, <T>)',
    ],
    "L": [
        "a\n", "  b ${<T>} c\n", "   ${~ <T> ~}  \n", "\n", "    \n", "${<A>}\n",
        "  %{ if <B> ~}\n  d\n  %{ else ~}\n e\n%{ endif ~}\n", "%{ for v in <S> }\n ${v}\n%{ endfor }\n",
        r"""  \n "q" $${x} $""" + "\n",
    ],
    "B": [
        "!<B>", "!!<B>", "(<B> <&> <B>)", "(<A> <=> <A>)", "(<N> <<> <N>)", "contains(<S>, <A>)",
        "startswith(<T>, <T>)", "tobool(<A>)", "can(<A>)", "can(<M>.a)", "try(<B>, <B>)", "(<C><B><C> <&><C> <B>)",
    ],
    "S": [
        "[<A>, <A>]", "concat(<S>, <S>)", "flatten([<S>, <S>])", "distinct(<S>)", "toset(<S>)", "tolist(<S>)",
        "sort(<S>)", "reverse(<S>)", "compact(<S>)", "range(<N>)", "range(<N>, <N>)", "range(<N>, <N>, <N>)",
        "slice(<S>, <N>, <N>)", "split(<T>, <T>)", "keys(<M>)", "values(<M>)", "setunion(<S>, <S>)",
        "setsubtract(<S>, <S>)", "setproduct(<S>, <S>)", 'formatlist("%s", <S>)', "[for v in <S> : v]",
        "[for k, v in <S> : k]", "[for k, v in <M> : v if <B>]", "<S>[*]", "<A>[*]", "jsondecode(<T>)",
        "[for größe in <S> : größe]", "[{ a = <A> }, { a = <A> }][*].a", "[<M>, <M>].*.a", "[<C><A><C>,<C><A>,<C>]",
        "[<S>, <S>].*[0]", "[<S>, <S>][*][0]", "concat([<S>, <S>]...)", "try(<S>, [])", "(<B> ? <S> : <S>)",
        "[<M>, <M>]", "(<B> ? <A> : <A>)", "[for<C>v in<C><S><C>:<C>v<C>if<C><B><C>]",
    ],
    "M": [
        "merge(<M>, <M>)", "tomap(<M>)", "(<B> ? <M> : <M>)", "zipmap(<S>, <S>)", "{ for v in <S> : v => v }",
        "{ for v in <S> : v => 1... }", "{ for k, v in <M> : k => v }", "{ a = <A>, b = <A> }",
        "{ for v in <S> : v => v... }", "{ (<T>) = <A>, <N> = 1 }", "{<C>a = <A>\n<C>(\"b\") = <A>\n}",
        "{ for v in <S> :<C>\"k${v}\" => <N>...<C> }", "merge([<M>, <M>]...)", "{ \"${<T>}\" : <A> }",
        "{ for k, v in <M> : k => { c = v\n (k) = 1 } }",
    ],
}  # fmt: skip
_SIGNS = {"+": ["+", "-", "*", "/", "%"], "&": ["&&", "||"], "=": ["==", "!="], "<": ["<", ">", "<=", ">="]}
_HOLE = re.compile(r"<([NTBSMALVC]|[+&=<])>")


class Grammar:
    """Random expressions of the kinds that rules are made with; depth bounds their size."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def any(self, depth: int) -> str:
        """An expression of any kind: N a number, T a text, B a boolean, S a sequence, M a mapping, mostly."""
        return self._made(self._random.choice("NTBSM"), depth)

    def _made(self, kind: str, depth: int) -> str:
        if kind == "A":
            return self.any(depth)
        if kind in _SIGNS:
            return self._random.choice(_SIGNS[kind])
        leaf = kind not in _KINDS or (kind in _LEAVES and (depth <= 0 or self._random.randrange(4) == 0))
        text = self._random.choice(_LEAVES[kind] if leaf else _KINDS[kind])
        return _HOLE.sub(lambda hole: self._made(hole[1], depth - 1), text)


def generate(count: int, seed: int) -> list[str]:
    """So many different expressions, none of them long."""
    grammar, found = Grammar(seed), dict[str, None]()
    while len(found) < count:
        expression = grammar.any(3).rstrip("\n")
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
        f'output "e{number}" {{\n  value = jsonencode(try([{text}\n], "error"))\n}}\n'
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
    # What Terraform knows only after apply contradicts nothing, as little as an error does.
    found = (answers[f"e{number}"].get("value", '"error"') for number in range(len(expressions)))
    return [_answer(json.loads(each)) for each in found]


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
