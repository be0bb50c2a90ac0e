"""Where an id comes from that is only known after apply: through variables, outputs, modules and instances."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.rules.references import Configuration, Known
from runbook_lib.models.base import UNKNOWN

RULE = "aws_vpc_security_group_ingress_rule.r"
GROUP = "aws_security_group.web"


def refers(*references: str) -> dict[str, Any]:
    return {"references": list(references)}


def rule(*references: str, **fields: Any) -> dict[str, Any]:
    return {"address": RULE, "expressions": {"security_group_id": refers(*references)}, **fields}


def root(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"root_module": {"resources": list(resources), **fields}}


def found(
    configuration: dict[str, Any], address: str = RULE, instances: tuple[str, ...] = (), known: Known | None = None
) -> tuple[Any, ...]:
    asked = Configuration(configuration, instances)
    return (asked.knowing(known) if known else asked).refers_to(address, "security_group_id")


def knows(
    local_values: dict[tuple[str, ...], dict[str, tuple[str, ...]]] | None = None, **fields: dict[Any, Any]
) -> Known:
    origins = fields.get("origins") or {}
    return Known(fields.get("variables") or {}, local_values or {}, origins)


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


def test_what_is_called_key_is_not_the_key_of_each() -> None:
    given = {"key": refers("aws_security_group.web.id")}
    assert found(root(**calls("m", rule("var.key"), expressions=given)), f"module.m.{RULE}") == (GROUP,)
    outputs = {"id": {"expression": refers("aws_security_group.web.id")}}
    assert found(root(rule("module.key.id"), **calls("key", outputs=outputs))) == (f"module.key.{GROUP}",)
    known = knows({(): {"key": ("aws_security_group.web.id",)}})
    assert found(root(rule("local.key")), known=known) == (GROUP,)


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


SELF = ("m", "")


def test_a_local_value_is_what_the_files_say() -> None:
    known = knows({(): {"group": ("local.other",), "other": ("aws_security_group.web.id",)}})
    assert found(root(rule("local.group")), known=known) == (GROUP,)


def test_a_local_value_of_a_module_is_its_own() -> None:
    known = knows({("m",): {"group": ("var.group", "aws_security_group.web[0].id")}, (): {"group": ("aws_vpc.x",)}})
    configuration = root(**calls("m", rule("local.group"), expressions={"group": refers("aws_security_group.b")}))
    assert found(configuration, f"module.m.{RULE}", known=known) == ("aws_security_group.b", f"module.m.{GROUP}[0]")


def test_a_local_value_of_many_is_paired_by_the_key_that_chooses_from_it() -> None:
    instances = (f'{GROUP}["a"]', f'{GROUP}["b"]')
    known = knows({(): {"groups": ("aws_security_group.web",)}})
    paired = root(rule("local.groups", "each.key"))
    assert found(paired, f'{RULE}["b"]', instances, known) == (f'{GROUP}["b"]',)
    assert found(root(rule("local.groups")), f'{RULE}["b"]', instances, known) == (f"{GROUP}[*]",)


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        pytest.param({(): (GROUP,)}, (GROUP,), id="the only group that is made"),
        pytest.param({(): (GROUP,), (SELF,): ("module.m.aws_security_group.x",)},
                     (GROUP, "module.m.aws_security_group.x"), id="a module's output may be it"),
        pytest.param({(): (GROUP, "aws_vpc.v.default_security_group_id")},
                     (GROUP, "aws_vpc.v.default_security_group_id"), id="a VPC's own may be it"),
        pytest.param({(): (GROUP, UNKNOWN)}, (GROUP, UNKNOWN), id="something from outside may be it"),
        pytest.param({}, (UNKNOWN,), id="nothing is known"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("reference", ["local.group", "each.value"])
def test_what_no_file_says_is_one_of_all_that_the_plan_makes(
    reference: str, origins: dict[Any, Any], expected: tuple[Any, ...]
) -> None:
    configuration = root(
        rule("local.group") if reference == "local.group" else rule("each.value", for_each_expression=refers("local.x"))
    )
    assert found(configuration, known=knows(origins=origins)) == expected


def test_within_a_module_it_is_one_of_its_own_or_of_what_it_is_given() -> None:
    module = ("m", '["a"]')
    origins = {
        (): (GROUP,),
        (module,): ('module.m["a"].aws_security_group.x',),
        (("m", '["b"]'),): ('module.m["b"].aws_security_group.x',),
    }
    inner, address = rule("local.group"), f'module.m["a"].{RULE}'
    own = 'module.m["a"].aws_security_group.x'
    for given, expected in (
        ({}, (own,)),
        ({"vpc": refers("aws_vpc.v.id"), "name": {"constant_value": "n"}}, (own, "aws_vpc.v")),
        ({"ids": {"constant_value": ["sg-1"]}}, (own, "sg-1")),
        ({"group": refers("local.other")}, (own, GROUP, 'module.m["b"].aws_security_group.x')),
    ):
        configuration = root(**calls("m", inner, expressions=given))
        assert set(found(configuration, address, known=knows(origins=origins))) == set(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("sg-1", (GROUP, "sg-1")), (["a", {"b": "sg-2"}], (GROUP, "sg-2")), (None, (GROUP,)), ("web", (GROUP,))],
)
def test_a_variable_of_the_stack_counts_where_its_value_is_an_id(value: Any, expected: tuple[Any, ...]) -> None:
    known = knows(variables={"group": {"value": value}}, origins={(): (GROUP,)})
    assert found(root(rule(GROUP, "var.group")), known=known) == expected
    assert set(found(root(rule("local.any")), known=known)) == set(expected)


def test_a_variable_of_a_module_that_nobody_gives_is_its_default() -> None:
    def of(default: dict[str, Any]) -> tuple[Any, ...]:
        module = {"resources": [rule("var.group", GROUP)], "variables": {"group": default}}
        return found({"root_module": {"module_calls": {"m": {"module": module}}}}, f"module.m.{RULE}")

    assert of({"default": None}) == (f"module.m.{GROUP}",)
    assert of({"default": "sg-1"}) == ("sg-1", f"module.m.{GROUP}")
    assert of({}) == (UNKNOWN, f"module.m.{GROUP}")


def test_modules_that_are_given_each_other_s_values_end() -> None:
    def module(other: str) -> dict[str, Any]:
        outputs = {"id": {"expression": refers("local.id")}}
        return {
            "module": {"resources": [rule("local.id")], "outputs": outputs},
            "expressions": {"x": refers(f"module.{other}.id")},
        }

    configuration = {"root_module": {"module_calls": {"a": module("b"), "b": module("a")}}}
    groups = {(("a", ""),): ("module.a.g",), (("b", ""),): ("module.b.g",)}
    asked = Configuration(configuration, ()).knowing(knows(origins=groups))
    for name in "ab":
        assert set(asked.refers_to(f"module.{name}.{RULE}", "security_group_id")) == {"module.a.g", "module.b.g"}


def test_a_module_is_repeated_where_its_instances_say_so() -> None:
    outputs = {"id": {"expression": refers("aws_security_group.web.id")}}
    instances = (f'module.m["a"].{GROUP}', f'module.m["b"].{GROUP}')
    keyed = root(rule("module.m", "each.key"), **calls("m", outputs=outputs))
    assert found(keyed, f'{RULE}["b"]', instances) == (f'module.m["b"].{GROUP}',)
    assert found(root(rule("module.m"), **calls("m", outputs=outputs)), RULE, instances) == (f"module.m[*].{GROUP}",)


def test_of_two_that_may_be_any_of_many_groups_the_one_that_says_more_is_told() -> None:
    # What stands in the module is among what stands below the root: ten are more than nine of them.
    inside = [f"module.m.aws_security_group.g{n}" for n in range(9)]
    origins = {(): ("aws_security_group.web",), (("m", ""),): tuple(inside)}
    module = {"module": {"resources": [], "outputs": {"group": {"expression": refers("local.group")}}}}
    configuration = root(rule("local.group", "module.m.group"), module_calls={"m": module})
    assert found(configuration, known=knows(origins=origins)) == (
        "one of 10 aws_security_group resources[*]", "one of 9 aws_security_group resources[*]",
    )  # fmt: skip
