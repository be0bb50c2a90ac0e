from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.models.services import ServiceResult, ServiceTest
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report import charts
from runbook_lib.report.picture import Picture, clip


def entry(target: str = "web", **fields: object) -> ExposureEntry:
    known = {"source": "0.0.0.0/0", "source_kind": "internet", "target": target, "target_kind": "group"}
    return ExposureEntry.model_validate(known | {"protocol": "tcp", "from_port": 80, "to_port": 80} | fields)


def result(address: str, error: str = "") -> ServiceResult:
    test = ServiceTest(name="web", address=address, url=f"http://{address}/")
    return ServiceResult(test=test, passed=not error, error=error, seconds=0.1, at=datetime(2026, 1, 2, tzinfo=UTC))


EXPOSURE = Exposure(
    opened=(entry(), entry(target="<script>alert(1)</script>")),
    closed=(entry(source="10.0.0.0/8", source_kind="private"),),
    unknown=(entry(source=UNKNOWN, source_kind=UNKNOWN),),
    sentence="Some of it.",
)
VERIFICATION = Verification(
    outcome=Outcome.BLOCKED,
    in_sync=10_000,
    differences=tuple(Difference(kind=kind, group="sg-1", rule=None) for kind in DifferenceKind),
)
RESULTS = [result("203.0.113.1"), result("203.0.113.2", "timeout: no answer")]
PICTURES = {
    "exposure": lambda: charts.exposure(EXPOSURE),
    "verification": lambda: charts.verification(VERIFICATION),
    "services": lambda: charts.services(RESULTS),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_data_make_the_same_bytes(name: str) -> None:
    assert PICTURES[name]().svg == PICTURES[name]().svg


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_an_svg_without_script_link_or_date(name: str) -> None:
    svg = PICTURES[name]().svg
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert "svg" in tags
    assert tags.isdisjoint({"script", "image", "a", "foreignObject", "date"})
    assert "<script" not in svg


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_the_same_in_words(name: str) -> None:
    bundle = PICTURES[name]()._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert bundle["text/plain"]


def test_where_there_is_nothing_to_draw_there_are_words() -> None:
    nothing = Verification(outcome=Outcome.WARNED, in_sync=0)
    pictures = [charts.exposure(Exposure()), charts.verification(nothing), charts.services([])]
    assert [set(picture._repr_mimebundle_()) for picture in pictures] == [{"text/plain"}] * 3


def height(picture: Picture) -> float:
    return float(ElementTree.fromstring(picture.svg).attrib["height"].removesuffix("pt"))


def test_a_picture_of_very_many_stays_of_readable_size() -> None:
    many = charts.exposure(Exposure(opened=tuple(entry(target=f"group-{n}") for n in range(500))))
    assert height(many) < 900
    assert height(charts.services([result(f"203.0.113.{n}") for n in range(250)])) < 900


def test_what_nobody_gets_through_is_drawn_apart_and_raises_no_alarm() -> None:
    def alarms(*opened: ExposureEntry) -> int:
        # What fills the box of the internet, and nothing else does.
        svg = charts.exposure(Exposure(opened=opened, sentence="x")).svg
        return svg.count("fill: #cf222e; stroke: #cf222e")

    idle = entry("alone", reachable="no_member")
    assert alarms(entry()) == 1
    assert alarms(idle) == 0
    assert alarms(idle, entry()) == 1
    both = charts.exposure(Exposure(opened=(idle, entry()), sentence="x"))
    assert height(both) > height(charts.exposure(Exposure(opened=(entry(),), sentence="x")))


def test_a_long_name_loses_its_middle() -> None:
    assert clip("abcdefghij", 5) == "ab…ij"
    assert clip("abcde", 5) == "abcde"


def test_importing_the_charts_does_not_import_matplotlib() -> None:
    heavy = "any(name in sys.modules for name in ('matplotlib', 'pandas'))"
    code = f"import sys, runbook_lib.report.charts, runbook_lib.report.tables; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
