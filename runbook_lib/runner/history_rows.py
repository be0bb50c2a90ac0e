"""One run folder as rows of the index: what it says, how far that is proven, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import REJECTION, covered
from ..domain.history import ended, seconds_between, worst
from ..domain.open_exposures import UNREAD
from ..domain.sense import APPLIES, began_to_apply
from ..errors import InputError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import UNKNOWN, Outcome
from ..models.evidence import EvidenceReport, Manifest, SealedFiles
from ..models.exposure import Exposure, ExposureEntry
from ..models.history import (
    UNFINISHED,
    Applied,
    DecisionRow,
    DifferenceRow,
    EvidenceVerdict,
    ExposureRow,
    FileRow,
    FindingRow,
    ReviewState,
    RunRow,
    RunRows,
    ServiceRow,
    StepRow,
)
from ..models.plan import PlanSummary
from ..models.results import StepResult
from ..models.run import Run
from ..models.verification import Verification
from ..wording import describe_rule
from ..workspace.records import (
    findings_that_count,
    last_decision,
    read_decision,
    read_exposure,
    read_request,
    read_services,
    read_summary,
    read_verification,
)
from .evidence import Expected, prove
from .folder import MANIFEST, read_manifest
from .history_values import LARGEST_READ, NOT_READ, Cleaner, Held, known_as

__all__ = ["read_rows"]

T = TypeVar("T")
_MOST_ROWS: Final = 5_000
_EXPOSURE: Final = "exposure.json"


def read_rows(folder: Path, held: Held, expected: Expected, key: str) -> RunRows:
    """All that is kept of a folder. Whatever is wrong with it becomes a line of `problems`, never an error.

    Seals are held to the key that is expected, whose id is `key`.
    """
    reader = _Reader(folder, held, datetime.now(UTC))
    name, verdict = known_as(folder.name), EvidenceVerdict.UNREADABLE.value
    base = RunRow(run_id=name, evidence=verdict, key=key, stamp=held.stamp)
    why = reader.refused()
    if why:
        return reader.unread(replace(base, problems=why))
    verdict, signed_by = reader.prove(expected)
    rows = reader.rows(replace(base, evidence=verdict.value, signed_by=signed_by))
    return replace(rows, run=replace(rows.run, problems=reader.said()))


class _Reader(Cleaner):
    """Reads what of a folder can be read; the rest becomes a problem."""

    def prove(self, expected: Expected) -> tuple[EvidenceVerdict, str]:
        if self.held.odd:
            self.problems += [f"{name} is no plain file" for name in self.held.odd]
            return EvidenceVerdict.CHANGED, ""
        if MANIFEST not in self.held.files:
            self.problems.append("it has no seals")
            return EvidenceVerdict.UNSEALED, ""
        large = [name for name, size in self.held.files.items() if size > LARGEST_READ and _is_read_whole(name)]
        if large:
            self.problems += [f"{name} is too large to be read" for name in large]
            return EvidenceVerdict.CHANGED, ""
        try:
            report = prove(self.folder, expected)
        except InputError as error:
            self.problems.append(error.message)
            return EvidenceVerdict.UNREADABLE, ""
        except NOT_READ as error:
            self.problems.append(f"its seals can't be judged: {error}")
            return EvidenceVerdict.CHANGED, ""
        self.problems += report.problems
        return _verdict(report), self.text(report.signed_by)

    def read(self, parse: Callable[[RunStore], T], store: RunStore, name: str) -> T | None:
        """What a file says; None if it is not there or says nothing that can be read."""
        size = self.held.files.get(name)
        if size is None:
            return None
        if size > LARGEST_READ:
            self.problems.append(f"{name} has {size / 1e6:.0f} MB: it was not read")
            return None
        try:
            return parse(store)
        except NOT_READ as error:
            self.problems.append(str(getattr(error, "message", error)).replace(f"{self.folder}/", ""))
            return None

    def rows(self, base: RunRow) -> RunRows:
        store = RunStore(self.folder.parent, self.folder.name)
        run = self.read(lambda held: held.read_model("run.json", Run), store, "run.json")
        if run is None:
            if "run.json" not in self.held.files:
                self.problems.append("there is no run.json")
            return replace(self.unread(replace(base, evidence=_at_best(base.evidence))), files=self.files())
        if run.run_id != self.folder.name:
            self.problems.append(f"its run.json is that of run {self.text(run.run_id)}")
        return self._of_run(base, store, run)

    def unread(self, base: RunRow) -> RunRows:
        """The rows of a folder that nothing can be said of but whether its change may have been carried out."""
        applied = self._applied(())
        return RunRows(replace(base, applied=applied.value), exposures=() if applied is Applied.NO else (self._lost(),))

    @cached_property
    def seals(self) -> Manifest | SealedFiles | None:
        """The manifest, whatever it is worth; None if it is not there or can't be read."""
        if self.held.files.get(MANIFEST, LARGEST_READ + 1) > LARGEST_READ:
            return None
        try:
            return read_manifest(self.folder)
        except NOT_READ:
            return None

    def _of_run(self, base: RunRow, store: RunStore, run: Run) -> RunRows:
        results = self._results(store, run)
        said = _Said(
            run,
            results,
            self._of_step(store, "plan", "summary.json", read_summary),
            self._of_step(store, "plan", _EXPOSURE, read_exposure),
            self._of_step(store, "approval", "request.json", read_request),
            self._decision(store),
            self._of_step(store, "verification", "verification.json", read_verification),
        )
        row = self._run(base, said)
        return RunRows(
            run=row,
            steps=tuple(self._steps(run, results)),
            findings=tuple(self._findings(results)),
            exposures=tuple(self._exposures(said, row.applied)),
            decisions=tuple(self._decisions(said.decision)),
            services=tuple(self._services(store)),
            differences=tuple(self._differences(said.verification)),
            files=self.files(),
        )

    def _results(self, store: RunStore, run: Run) -> tuple[StepResult, ...]:
        found = []
        for step in run.steps:
            result = self.read(
                lambda held, name=step.name: held.read_result(name),  # type: ignore[misc]
                store,
                f"{step.folder}/result.json",
            )
            found += [result] if result else []
        return tuple(found)

    def _of_step(self, store: RunStore, step: str, name: str, parse: Callable[[RunStore], T]) -> T | None:
        folder = next((each.folder for each in store.steps if each.name == step), None)
        return self.read(parse, store, f"{folder}/{name}") if folder else None

    def _decision(self, store: RunStore) -> DecisionRecord | None:
        found = (self._of_step(store, step, "decision.json", read_decision) for step in APPLIES)
        return (
            next((each for each in found if each is not None), None)
            or self.read(last_decision, store, REJECTION)
            or self._of_step(store, "approval", "decision.json", read_decision)
        )

    def _run(self, base: RunRow, said: _Said) -> RunRow:
        run, summary, request = said.run, said.summary, said.request
        created = self.at(run.created_at, "its beginning")
        approved = self.at(said.approved_at, "its approval")
        requested = self.at(request.created_at if request else None, "its request")
        verified = self.at(said.ended("verification"), "the end of verification")
        stopped = next((result for result in said.results if result.outcome.stops), None)
        times = (self.at(result.finished_at, f"the end of {result.step}") for result in said.results)
        return replace(
            base,
            stack=self.text(run.stack),
            runbook=self.text(run.runbook),
            outcome=said.outcome,
            stopped_by=stopped.step if stopped else "",
            why=self.text(stopped.summary) if stopped else "",
            requester=self.text(run.requester),
            author=self.text(run.author),
            approvers=self.text(", ".join(said.decision.approved_by) if said.decision else ""),
            alone=self.text(alone := said.decision.broken_by if said.decision else ""),
            review=ReviewState.UNKNOWN.value if alone else "",
            commit_sha=self.text(run.commit),
            ref=self.text(run.ref),
            project=self.text(run.project),
            pipeline_url=self.text(run.pipeline_url),
            risk=str(request.risk.level) if request else "",
            sentence=self.text(said.exposure.sentence if said.exposure else ""),
            plan_sha256=self.text(summary.plan_sha256 if summary else ""),
            to_create=self.number(summary.create) if summary else None,
            to_update=self.number(summary.update) if summary else None,
            to_delete=self.number(summary.delete) if summary else None,
            applied=self._applied(said.results).value,
            differences=len(said.verification.differences) if said.verification else None,
            created_at=created,
            requested_at=requested,
            approved_at=approved,
            applied_at=self.at(said.ended(*APPLIES), "the end of apply"),
            verified_at=verified,
            ended_at=max(times, default=""),
            lead_seconds=seconds_between(created, verified),
            wait_seconds=seconds_between(requested, approved),
        )

    def _applied(self, results: Iterable[StepResult]) -> Applied:
        well = {Outcome.PASSED, Outcome.WARNED}
        if any(result.step in APPLIES and result.outcome in well for result in results):
            return Applied.YES
        # What is gone from the folder is in its seals all the same.
        return Applied.PERHAPS if began_to_apply(self.held.files, self.seals) else Applied.NO

    def _steps(self, run: Run, results: Iterable[StepResult]) -> Iterable[StepRow]:
        numbers = {step.name: step.number for step in run.steps}
        for result in results:
            begun = self.at(result.started_at, f"the beginning of {result.step}")
            done = self.at(result.finished_at, f"the end of {result.step}")
            yield StepRow(
                run_id=self.folder.name,
                number=numbers.get(result.step, 0),
                step=result.step,
                outcome=result.outcome.value,
                summary=self.text(result.summary),
                started_at=begun,
                finished_at=done,
                seconds=self.seconds((result.finished_at - result.started_at).total_seconds())
                if begun and done
                else None,
                error=self.text(result.error.message if result.error else ""),
            )

    def _findings(self, results: tuple[StepResult, ...]) -> Iterable[FindingRow]:
        by_finding = {id(finding): result.step for result in results for finding in result.findings}
        for found in self._some(findings_that_count(results), "findings"):
            waiver = found.waiver
            yield FindingRow(
                run_id=self.folder.name,
                step=by_finding.get(id(found), ""),
                policy=self.text(found.policy),
                verdict=found.verdict.value,
                severity=found.severity.value,
                action=found.action.value,
                address=self.text(found.address),
                message=self.text(found.message),
                waiver_owner=self.text(waiver.owner if waiver else ""),
                waiver_reason=self.text(waiver.reason if waiver else ""),
                waiver_expires=self.text(waiver.expires if waiver else "", 40),
            )

    def _exposures(self, said: _Said, applied: str) -> Iterable[ExposureRow]:
        exposure, given = said.exposure, list[tuple[str, ExposureEntry]]()
        for change in ("opened", "closed", "unknown"):
            given += [(change, entry) for entry in (getattr(exposure, change) if exposure else ())]
        for change, entry in self._some(given, "entries of its exposure"):
            yield ExposureRow(
                run_id=self.folder.name,
                change=change,
                source=self.text(entry.source),
                source_kind=self.text(getattr(entry.source_kind, "value", entry.source_kind)),
                target=self.text(entry.target),
                target_kind=self.text(entry.target_kind),
                protocol=self.text(entry.protocol),
                from_port=None if entry.from_port is UNKNOWN else self.number(entry.from_port),
                to_port=None if entry.to_port is UNKNOWN else self.number(entry.to_port),
            )
        if applied != Applied.NO and (exposure is None or len(given) > _MOST_ROWS or self._exposure_changed(said.run)):
            yield self._lost()

    def _exposure_changed(self, run: Run) -> bool:
        path = next((f"{step.folder}/{_EXPOSURE}" for step in run.steps if step.name == "plan"), "")
        sealed = covered(self.seals).get(path) if self.seals else None
        try:
            return bool(sealed) and sha256_file(self.folder / path) != sealed
        except OSError:
            return True

    def _lost(self) -> ExposureRow:
        # In doubt it is open: what was carried out, and can't be read, opened nobody knows what.
        unknown = str(UNKNOWN)
        return ExposureRow(known_as(self.folder.name), "unknown", UNREAD, "", unknown, "", unknown)

    def _decisions(self, decision: DecisionRecord | None) -> Iterable[DecisionRow]:
        for given in self._some(decision.decisions if decision else (), "decisions"):
            yield DecisionRow(
                run_id=self.folder.name,
                user=self.text(given.user),
                approved=int(given.approved),
                counts=None if given.counts is None else int(given.counts),
                source=self.text(given.source),
                at=self.at(given.at, f"the answer of {self.text(given.user, 60)}"),
                reason=self.text(given.reason),
                why_not=self.text(given.why_not),
            )

    def _services(self, store: RunStore) -> Iterable[ServiceRow]:
        report = self._of_step(store, "service_tests", "results.json", read_services)
        for found in self._some(report.results if report else (), "service tests"):
            yield ServiceRow(
                run_id=self.folder.name,
                name=self.text(found.test.name),
                address=self.text(found.test.address),
                url=self.text(found.test.url),
                passed=int(found.passed),
                status=self.number(found.status),
                seconds=self.seconds(found.seconds),
                attempts=self.number(found.attempts),
                error=self.text(found.error),
                at=self.at(found.at, f"the test of {self.text(found.test.name, 60)}"),
            )

    def _differences(self, verification: Verification | None) -> Iterable[DifferenceRow]:
        for found in self._some(verification.differences if verification else (), "differences"):
            what = describe_rule(found.rule) if found.rule else found.subject or found.action or "the group itself"
            yield DifferenceRow(
                run_id=self.folder.name,
                kind=found.kind.value,
                where=self.text(found.address or found.name or found.group),
                what=self.text(what),
                blocks=int(found.blocks),
            )

    def files(self) -> tuple[FileRow, ...]:
        sealed = covered(self.seals) if self.seals and not self.held.odd else {}
        given = self._some(sorted(self.held.files.items()), "files")
        return tuple(
            FileRow(self.folder.name, self.text(path), size, self.text(sealed.get(path, ""))) for path, size in given
        )

    def _some(self, given: Iterable[T], what: str) -> tuple[T, ...]:
        held = tuple(given)
        if len(held) > _MOST_ROWS:
            self.problems.append(f"of {len(held):,} {what} the first {_MOST_ROWS:,} are listed")
        return held[:_MOST_ROWS]


@dataclass(frozen=True)
class _Said:
    """What the files of a run say, as far as they could be read."""

    run: Run
    results: tuple[StepResult, ...]
    summary: PlanSummary | None
    exposure: Exposure | None
    request: ApprovalRequest | None
    decision: DecisionRecord | None
    verification: Verification | None

    @property
    def outcome(self) -> str:
        found = worst(result.outcome for result in self.results)
        if found is None or found.stops or ended(self.run, self.results):
            return found.value if found else ""
        return UNFINISHED

    @property
    def approved_at(self) -> datetime | None:
        given = [
            one.at
            for one in (self.decision.decisions if self.decision else ())
            if one.approved and one.counts is not False
        ]
        known = [moment for moment in given if moment.tzinfo]
        return max(known, default=None) if self.decision and self.decision.approved else None

    def ended(self, *steps: str) -> datetime | None:
        """When the first of these steps that ended well did so."""
        well = {Outcome.PASSED, Outcome.WARNED}
        return next((one.finished_at for one in self.results if one.step in steps and one.outcome in well), None)


def _is_read_whole(path: str) -> bool:
    # The others are digested piece by piece.
    name = path.rpartition("/")[2]
    read = {"result.json", "request.json", "decision.json", "summary.json", "exposure.json"}
    return name in read if "/" in path else name.endswith((".json", ".html"))


def _verdict(report: EvidenceReport) -> EvidenceVerdict:
    if report.proven:
        return EvidenceVerdict.PROVEN
    if report.valid:
        return EvidenceVerdict.INTACT
    if report.intact.holds is False:
        return EvidenceVerdict.CHANGED
    return EvidenceVerdict.CONTRADICTORY if report.consistent.holds is False else EvidenceVerdict.UNSIGNED


def _at_best(verdict: str) -> str:
    good = {EvidenceVerdict.PROVEN.value, EvidenceVerdict.INTACT.value, EvidenceVerdict.UNSEALED.value}
    return EvidenceVerdict.UNREADABLE.value if verdict in good else verdict
