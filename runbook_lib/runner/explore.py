"""What the notebooks over all runs ask: who reaches what now, what differs between two runs, what needs a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..adapters.history_file import HistoryFile
from ..adapters.store import RunStore
from ..domain.history import newest_first, open_waivers
from ..domain.open_exposures import is_believed
from ..errors import UsageError
from ..models.history import FindingRow, RunRow
from ..report.table import Badge, Table
from ..settings import Settings
from ..workspace.records import read_plan
from .history import open_history
from .history_page import reckoned
from .history_values import NOT_READ

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Compared", "compare_runs", "decide", "open_history", "reached_now"]

_SOON = timedelta(days=14)
# What makes an entry, a finding or a service the same one in another run.
_SAME = {
    "exposures": ("change", "source", "target", "protocol", "from_port", "to_port"),
    "findings": ("policy", "address", "verdict", "action"),
}


def reached_now(history: HistoryFile, stack: str = "") -> pd.DataFrame:
    """Who reaches what as far as run folders know, since when, by which run, and whether that run is proven."""
    import pandas as pd

    runs = list(history.rows(RunRow))
    found = [one for one in reckoned(history, runs).still_open if not stack or one.run.stack in {"", stack}]
    columns = ("stack", "who", "reaches", "on", "since", "run_id", "requester", "approvers", "evidence")
    rows = [
        (one.run.stack, one.who, one.target, one.ports, one.run.applied_at, one.run.run_id, one.run.requester,
         one.run.approvers, one.run.evidence)
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))


def decide(history: HistoryFile, stack: str = "", now: datetime | None = None) -> Table:
    """What a person should look at: folders that can't be believed, what they opened, waivers that end soon."""
    runs = [run for run in newest_first(history.rows(RunRow)) if not stack or run.stack in {"", stack}]
    rows: list[list[object]] = [
        [Badge(run.evidence, "bad"), run.run_id, run.problems.partition("\n")[0] or "look at its folder"]
        for run in runs
        if not is_believed(run)
    ]
    rows += [
        [Badge("open", "warn"), one.run.run_id, f"{one.said}, by an unproven run"]
        for one in reckoned(history, runs).still_open
        if not is_believed(one.run)
    ]
    moment = now or datetime.now(UTC)
    waivers = open_waivers(runs, history.rows(FindingRow, "verdict = 'waived'"), f"{moment:%Y-%m-%d}")
    rows += [
        [Badge("waiver", "info"), one.run_id, f"{one.policy} at {one.address} ends on {one.expires} ({one.owner})"]
        for one in waivers
        if one.expires <= f"{moment + _SOON:%Y-%m-%d}"
    ]
    caption = f"{len(rows)} to look at" if rows else ""
    return Table(("what", "run", "why"), rows, caption, "Nothing needs you: every folder is to be believed.")


@dataclass(frozen=True)
class Compared:
    """Two runs side by side; each frame has what the two do not share, or all of it with both values."""

    history: HistoryFile
    first: RunRow
    second: RunRow

    @property
    def runs(self) -> pd.DataFrame:
        """What the runs say of themselves, where they differ."""
        import pandas as pd

        names = [name for name in RunRow.__dataclass_fields__ if name not in {"stamp", "problems"}]
        rows = [(name, getattr(self.first, name), getattr(self.second, name)) for name in names]
        found = pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["field", *self._columns])
        return found.set_index("field")

    @property
    def plans(self) -> pd.DataFrame:
        """What each plan does to a resource, where that is not the same."""
        import pandas as pd

        first, second = self._actions(self.first), self._actions(self.second)
        rows = [(address, first.get(address, ""), second.get(address, "")) for address in sorted({*first, *second})]
        return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["address", *self._columns])

    @property
    def exposures(self) -> pd.DataFrame:
        """Who gains or loses access in one of the two runs alone."""
        return self._only_in_one("exposures")

    @property
    def findings(self) -> pd.DataFrame:
        """The findings of one of the two runs alone."""
        return self._only_in_one("findings")

    @property
    def services(self) -> pd.DataFrame:
        """Each service's verdict and seconds in both runs, and how much slower it became."""
        query = "SELECT name, address, passed, seconds FROM services WHERE run_id = :run"
        frames = [self.history.frame(query, run=run.run_id) for run in (self.first, self.second)]
        both = frames[0].merge(frames[1], on=["name", "address"], how="outer", suffixes=("_first", "_second"))
        both["slower"] = both.seconds_second - both.seconds_first
        return both

    def decide(self) -> Table:
        """In how many ways the two differ, and which of them is to be believed."""
        counts = {
            "resources planned otherwise": self.plans,
            "exposures of one alone": self.exposures,
            "findings of one alone": self.findings,
        }
        rows: list[list[object]] = [
            ["evidence", Badge(f"{run.run_id}: {run.evidence}", "good" if is_believed(run) else "bad")]
            for run in (self.first, self.second)
        ]
        rows += [[name, len(frame)] for name, frame in counts.items()]
        services = self.services
        changed = int((services.passed_first != services.passed_second).sum())
        return Table(("what", "found"), [*rows, ["services with another verdict", changed]])

    @property
    def _columns(self) -> tuple[str, str]:
        return f"first ({self.first.run_id})", f"second ({self.second.run_id})"

    def _actions(self, run: RunRow) -> dict[str, str]:
        settings = Settings.load()
        store = RunStore(self.history.path.parent, run.run_id)
        try:
            plan = read_plan(store, settings.environment.age_key.get_secret_value())
        except NOT_READ as error:
            return {"(the plan)": f"can't be read: {getattr(error, 'message', error)}"}
        changes = (change for change in plan.changes if change.actions not in {("no-op",), ("read",)})
        return {change.address: " and ".join(change.actions) for change in changes}

    def _only_in_one(self, table: str) -> pd.DataFrame:
        same = list(_SAME[table])
        query = f"SELECT DISTINCT {', '.join(same)} FROM {table} WHERE run_id = :run"  # noqa: S608  names of ours
        first, second = (self.history.frame(query, run=run.run_id) for run in (self.first, self.second))
        both = first.merge(second, on=same, how="outer", indicator="in")
        both["in"] = both["in"].map({"left_only": "first", "right_only": "second", "both": "both"})
        return both[both["in"] != "both"].reset_index(drop=True)


def compare_runs(history: HistoryFile, first: str = "", second: str = "", stack: str = "") -> Compared:
    """Two runs by their ids; without ids the two newest of the stack. UsageError if there are none such."""
    runs = [run for run in newest_first(history.rows(RunRow)) if not stack or run.stack in {"", stack}]
    if not (first and second) and len(runs) < 2:
        raise UsageError(f"of two runs to compare {len(runs)} can be found", "Name both by their ids.")
    return Compared(
        history,
        _named(runs, first) if first else next(run for run in runs[1:] if run.run_id != second),
        _named(runs, second) if second else next(run for run in runs if run.run_id != first),
    )


def _named(runs: Iterable[RunRow], run_id: str) -> RunRow:
    found = next((run for run in runs if run.run_id == run_id), None)
    if found is None:
        raise UsageError(f"there is no run {run_id!r}", "runbook history lists those that are here.")
    return found
