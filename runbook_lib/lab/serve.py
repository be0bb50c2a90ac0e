"""The process of a lab: `python -m runbook_lib.lab.serve FOLDER ROOT BUILDER [WORLD]`, started by `runbook lab up`."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import psutil

from .addresses import ProcessId, World
from .lab import Lab
from .statefile import LOG, READY, STATE, end_strays, process_id

__all__ = ["main"]


def main(folder: Path, root: Path, builder_pid: int, world: World | None) -> None:
    """Serve until a signal comes, or the builder dies before it has let go of the lab."""
    logging.basicConfig(filename=folder / LOG, level=logging.INFO, format="%(asctime)s %(threadName)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    builder = process_id(builder_pid)
    lab = Lab(folder, root, builder, world)
    threading.Thread(target=_watch, args=(lab, builder, ended), daemon=True).start()
    lab.start()
    _tell_starter()
    ended.wait()
    lab.stop()
    end_strays(folder)
    (folder / STATE).unlink(missing_ok=True)
    logging.shutdown()
    # Taking moto's memory apart object by object would take seconds.
    os._exit(0)


def _watch(lab: Lab, builder: ProcessId, ended: threading.Event) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(builder.pid).wait()
    if lab.addresses.builder is not None:
        logging.warning("the process that needed this lab is gone")
        ended.set()


def _tell_starter() -> None:
    print(READY, flush=True)  # noqa: T201  # the starter waits for this line
    # From here on nothing reads our output: a full pipe would stop us. What goes wrong is said in the log.
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)


if __name__ == "__main__":
    given = World.model_validate_json(sys.argv[4]) if sys.argv[4:] else None
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), given)
