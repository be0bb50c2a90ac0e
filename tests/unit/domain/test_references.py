"""Where an id comes from that is only known after apply: through variables, outputs, modules and instances."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.rules.references import Configuration
from runbook_lib.models.base import UNKNOWN

RULE = "aws_vpc_security_group_ingress_rule.r"
GROUP = "aws_security_group.web"


def refers(*references: str) -> dict[str, Any]:
    return {"references": list(references)}


def rule(*references: str, **fields: Any) -> dict[str, Any]:
    return {"address": RULE, "expressions": {"security_group_id": refers(*references)}, **fields}


def root(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"root_module": {"resources": list(resources), **fields}}


def found(configuration: dict[str, Any], address: str = RULE, instances: tuple[str, ...] = ()) -> tuple[Any, ...]:
    return Configuration(configuration, instances).refers_to(address, "security_group_id")


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        pytest.param(("aws_security_group.web.id", GROUP), (GROUP,), id="the longest says it all"),
        pytest.param(("data.aws_vpc.main.id", "data.aws_vpc.main"), ("data.aws_vpc.main",), id="looked up"),
        pytest.param(
            ("aws_vpc.main.default_security_group_id", "aws_vpc.main"),
            ("aws_vpc.main.default_security_group_id",),
            id="a VPC's own group",
        ),
        pytest.param(('aws_security_group.web["a"].id', 'aws_security_group.web["a"]'), (f'{GROUP}["a"]',), id="a key"),
        pytest.param(("aws_security_group.web[0].id",), (f"{GROUP}[0]",), id="a number"),
        pytest.param(
            ("aws_security_group.a.id", "aws_security_group.b.id"),
            ("aws_security_group.a", "aws_security_group.b"),
            id="two",
        ),
        pytest.param((), (UNKNOWN,), id="none"),
        pytest.param(("local.group",), (UNKNOWN,), id="a local value"),
        pytest.param(("var.group",), (UNKNOWN,), id="a variable of the stack"),
        pytest.param(("path.module", "aws_security_group.web.id"), (GROUP,), id="what is no resource"),
        pytest.param(("each.value",), (UNKNOWN,), id="a value that comes from nowhere"),
        pytest.param(('aws_security_group.web["a"]',), (f'{GROUP}["a"]',), id="a key at the end"),
        pytest.param(('aws_security_group.web["a.b"].id',), (f'{GROUP}["a.b"]',), id="a key with a dot"),
        pytest.param(('data.aws_vpc.main["a"].id',), ('data.aws_vpc.main["a"]',), id="a key of what is looked up"),
        pytest.param(
            ("aws_security_group.web", "aws_security_group.web[0].id"), (f"{GROUP}[0]",), id="the longer by its number"
        ),
        pytest.param(
            ("aws_security_group.web", "aws_security_group.web_b.id"),
            (GROUP, "aws_security_group.web_b"),
            id="a longer name is another",
        ),
        pytest.param(
            ("aws_vpc.main.default_network_acl_id", "aws_vpc.main"), ("aws_vpc.main",), id="another attribute"
        ),
        pytest.param(
            ("aws_security_group.a.id", "var.group"), ("aws_security_group.a", UNKNOWN), id="a group or a variable"
        ),
        pytest.param(("each.key",), (UNKNOWN,), id="a key alone"),
        pytest.param(("count.index", "terraform.workspace", "self.id"), (UNKNOWN,), id="what is no resource either"),
        pytest.param(("aws_security_group",), (UNKNOWN,), id="half a reference"),
    ],
)
def test_an_expression_names_resources(references: tuple[str, ...], expected: tuple[Any, ...]) -> None:
    assert found(root(rule(*references))) == expected


def test_a_resource_that_the_configuration_does_not_have_says_nothing() -> None:
    assert found(root(), RULE) == (UNKNOWN,)
    assert found({}, RULE) == (UNKNOWN,)


def test_an_expression_in_blocks_and_lists_is_searched() -> None:
    nested = {"address": RULE, "expressions": {"security_group_id": [{"a": refers("aws_security_group.web.id")}]}}
    assert found(root(nested)) == (GROUP,)


def test_an_instance_is_the_one_of_the_same_key() -> None:
    instances = (f'{GROUP}["a"]', f'{GROUP}["b"]')
    configuration = root(rule("aws_security_group.web", "each.key"))
    assert found(configuration, f'{RULE}["b"]', instances) == (f'{GROUP}["b"]',)
    assert found(configuration, f'{RULE}["c"]', instances) == (f"{GROUP}[*]",)
    assert found(configuration, RULE, (f'{GROUP}["a"]',)) == (f'{GROUP}["a"]',)
    assert found(configuration, f'{RULE}["b"]', (GROUP,)) == (GROUP,)


def test_each_instance_has_an_answer_of_its_own_where_its_key_decides() -> None:
    instances = (f'{GROUP}["a"]', f'{GROUP}["b"]')
    asked = Configuration(root(rule("aws_security_group.web", "each.key")), instances)
    answers = [asked.refers_to(f'{RULE}["{key}"]', "security_group_id") for key in "ab"]
    assert answers == [(instances[0],), (instances[1],)]


def test_the_value_of_each_comes_from_what_is_gone_through() -> None:
    assert found(root(rule("each.value.id", for_each_expression=refers(GROUP)))) == (GROUP,)


def calls(
    name: str, *resources: dict[str, Any], outputs: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    return {"module_calls": {name: {"module": {"resources": list(resources), "outputs": outputs or {}}, **fields}}}


def test_a_variable_of_a_module_is_what_its_caller_gives() -> None:
    configuration = root(**calls("m", rule("var.group"), expressions={"group": refers("aws_security_group.web.id")}))
    assert found(configuration, f"module.m.{RULE}") == (GROUP,)


def test_a_variable_is_followed_through_every_caller_and_with_the_caller_s_key() -> None:
    inner = calls("inner", rule("var.group"), expressions={"group": refers("var.given")})
    outer = {"module": inner, "expressions": {"given": refers("aws_security_group.web", "each.key")}}
    configuration = root(module_calls={"outer": outer})
    instances = (f'{GROUP}["a"]', f'{GROUP}["b"]')
    assert found(configuration, f'module.outer["b"].module.inner.{RULE}', instances) == (f'{GROUP}["b"]',)


def test_an_output_of_a_module_is_what_it_is_made_of() -> None:
    outputs = {"id": {"expression": refers("aws_security_group.web.id")}}
    once = root(rule("module.m.id", "module.m"), **calls("m", outputs=outputs))
    assert found(once) == (f"module.m.{GROUP}",)
    several = root(rule('module.m["a"].id', 'module.m["a"]'), **calls("m", outputs=outputs, for_each_expression={}))
    assert found(several) == (f'module.m["a"].{GROUP}',)
    paired = root(rule("module.m", "module.m.id", "each.key"), **calls("m", outputs=outputs, for_each_expression={}))
    assert found(paired, f'{RULE}["b"]') == (f'module.m["b"].{GROUP}',)


def test_a_module_as_a_whole_says_nothing() -> None:
    assert found(root(rule("module.m"), **calls("m"))) == (UNKNOWN,)


def test_a_circle_ends() -> None:
    outputs = {"a": {"expression": refers("module.m.b")}}
    circle = calls("m", outputs={"b": {"expression": refers("var.x")}}, expressions={"x": refers("module.m.b")})
    assert outputs
    assert found(root(rule("module.m.b"), **circle)) == (UNKNOWN,)


def test_whether_an_attribute_is_written_is_told_by_the_configuration() -> None:
    asked = Configuration(root(rule(GROUP)), ())
    assert asked.written(RULE, "security_group_id")
    assert not asked.written(RULE, "description")
    # Where there is no configuration nobody can say that it is not.
    assert Configuration({}, ()).written(RULE, "description")


@pytest.mark.parametrize(("key", "expected"), [("[0]", f"{GROUP}[0]"), ("[1]", f"{GROUP}[1]"), ("[2]", f"{GROUP}[*]")])
def test_instances_are_paired_by_their_number_too(key: str, expected: str) -> None:
    configuration = root(rule("aws_security_group.web", "count.index"))
    assert found(configuration, f"{RULE}{key}", (f"{GROUP}[0]", f"{GROUP}[1]")) == (expected,)


def test_an_answer_is_kept_for_each_module_resource_key_and_attribute() -> None:
    other = {"address": "aws_security_group_rule.r", "expressions": {"security_group_id": refers("aws_vpc.x")}}
    both = rule("aws_security_group.web")
    both["expressions"]["prefix_list_id"] = refers("aws_prefix_list.s3")
    asked = Configuration(root(both, other, **calls("m", rule("aws_security_group.web"))), ())
    assert asked.refers_to(RULE, "security_group_id") == (GROUP,)
    assert asked.refers_to(RULE, "prefix_list_id") == ("aws_prefix_list.s3",)
    assert asked.refers_to(RULE, "description") == (UNKNOWN,)
    assert asked.refers_to(f"module.m.{RULE}", "security_group_id") == (f"module.m.{GROUP}",)
    assert asked.refers_to(f'module.m["a"].{RULE}', "security_group_id") == (f'module.m["a"].{GROUP}',)
    assert asked.refers_to("aws_security_group_rule.r", "security_group_id") == ("aws_vpc.x",)


def test_instances_of_another_module_are_not_taken_for_one_s_own() -> None:
    configuration = root(rule("aws_security_group.web"), **calls("m", rule("aws_security_group.web")))
    instances = (f'{GROUP}["a"]', f'module.m.{GROUP}["b"]')
    assert found(configuration, RULE, instances) == (f'{GROUP}["a"]',)
    assert found(configuration, f"module.m.{RULE}", instances) == (f'module.m.{GROUP}["b"]',)


def test_an_output_s_own_output_is_followed_and_a_module_s_number_is_kept() -> None:
    inner = calls("inner", outputs={"id": {"expression": refers("aws_security_group.web.id")}})
    outer = {"outputs": {"id": {"expression": refers("module.inner.id")}}, **inner}
    configuration = root(
        rule("module.outer[1].id"), module_calls={"outer": {"module": outer, "count_expression": {"constant_value": 2}}}
    )
    assert found(configuration) == (f"module.outer[1].module.inner.{GROUP}",)


def test_a_module_that_is_not_repeated_has_no_key_of_its_own() -> None:
    outputs = {"id": {"expression": refers("aws_security_group.web.id")}}
    configuration = root(rule("module.m.id", for_each_expression={}), **calls("m", outputs=outputs))
    assert found(configuration, f'{RULE}["a"]') == (f"module.m.{GROUP}",)


@pytest.mark.parametrize("name", ["module.m.other", "module.other.id"])
def test_an_output_that_there_is_not_says_nothing(name: str) -> None:
    configuration = root(rule(name), **calls("m", outputs={"id": {"expression": refers(GROUP)}}))
    assert found(configuration) == (UNKNOWN,)
