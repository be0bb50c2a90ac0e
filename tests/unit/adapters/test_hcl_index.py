"""The line of each resource, in Terraform's own syntax and in JSON, as tools that generate it write it."""

from __future__ import annotations

import json
from pathlib import Path

from runbook_lib.adapters.hcl_index import index_blocks

STACK = {
    "//": {"metadata": {"resource": {"aws_x": {"not": "this"}}}},
    "resource": {"aws_x": {"one": {"name": 'a "}{[" b'}, "two": [{"resource": {"aws_x": {"inner": 1}}}]}},
    "module": {"local": {"for_each": {"a": 1}, "source": "./part"}, "far": [{"source": "team/far/aws"}]},
}


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_json_has_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "stack" / "cdk.tf.json"
    (path.parent / "part").mkdir(parents=True)
    (path.parent / "part" / "main.tf").write_text('\nresource "aws_x" "y" {\n}\n')
    path.write_text(json.dumps(STACK, indent=2))
    found = {key: (source.file, source.line) for key, source in index_blocks(path.parent, tmp_path).items()}
    assert found == {
        ((), "aws_x.one"): ("stack/cdk.tf.json", line_of(path, '"one"')),
        ((), "aws_x.two"): ("stack/cdk.tf.json", line_of(path, '"two"')),
        ((), "module.local"): ("stack/cdk.tf.json", line_of(path, '"local"')),
        ((), "module.far"): ("stack/cdk.tf.json", line_of(path, '"far"')),
        (("local",), "aws_x.y"): ("stack/part/main.tf", 2),
    }


def test_what_is_no_json_is_no_failure_here(tmp_path: Path) -> None:
    (tmp_path / "broken.tf.json").write_text('}]{"resource": {"aws_x": {"a\\q": {}, "b": {')
    assert index_blocks(tmp_path, tmp_path)[(), "aws_x.b"].line == 1
