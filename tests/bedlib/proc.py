"""Processes that outlive the command that started them.

A process is known by a small file: pid, the kernel's start time of that pid, and the boot it
happened in. Nothing is ever signalled unless all three still agree, so a pid that the kernel has
given to somebody else is safe from us.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .common import Failure, await_true, read_json

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def start_time(pid: int) -> int | None:
    """When `pid` started, in ticks since boot; None if it is gone or a zombie.

    A zombie counts as gone: its parent may be slow to reap it. But not while it has threads: a
    killed process' first thread is a zombie before the others have let go of its ports.
    """
    try:
        # the command name, in parentheses, may itself hold spaces and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        return None
    return int(fields[19])


def as_user(user: tuple[int, int] | None) -> dict[str, Any]:
    """Popen's arguments for running as (uid, gid), with no other group."""
    return {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}


class Proc:
    """One named process of an instance: DIR/pid/NAME and DIR/log/NAME.log."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.pid_file = directory / "pid" / name
        self.log = directory / "log" / f"{name}.log"

    def pid(self) -> int | None:
        """The pid if the process still runs, else None."""
        known = read_json(self.pid_file)
        if known is None or known["boot"] != BOOT_ID.read_text().strip():
            return None
        return known["pid"] if start_time(known["pid"]) == known["start"] else None

    def start(
        self,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: tuple[int, int] | None = None,
    ) -> None:
        """Start detached, in a session of its own, output to the log. Not if it runs already.

        `user` is (uid, gid) to run as, for a caller who is root.
        """
        if self.pid():
            raise Failure(f"{self.name} is running already")
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # Appended to, so that what a component said before a restart is not lost.
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=cwd, env=None if env is None else dict(env),
                **as_user(user),
            )
        child.returncode = 0  # ours no more: no "still running" warning when this object goes
        began = start_time(child.pid)
        if began is None:
            raise Failure(f"{self.name} ended at once\n{self.tail()}")
        self.pid_file.write_text(json.dumps(
            {"pid": child.pid, "start": began, "boot": BOOT_ID.read_text().strip()}
        ))

    def signal(self, number: int) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def stop(self, seconds: float = 20, kill: bool = False) -> bool:
        """End it: SIGTERM, then SIGKILL after `seconds` (or at once). False: had to be killed."""
        def gone() -> bool:
            return self.pid() is None

        polite = True
        if not gone():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL if kill else signal.SIGTERM)
            if not await_true(gone, seconds, 0.02):
                polite = False
                self.signal(signal.SIGKILL)
                if not await_true(gone, 10, 0.02):
                    raise Failure(f"{self.name} (pid {self.pid()}) can't be killed")
        self.pid_file.unlink(missing_ok=True)
        return polite

    def tail(self, lines: int = 12) -> str:
        try:
            text = self.log.read_text(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return ""
        return f"last lines of {self.log}:\n" + "\n".join("  " + line[:300] for line in text)

    def await_ready(self, ready: Callable[[], bool], seconds: float, every: float = 0.05) -> None:
        """Return when `ready()`; a Failure with the log's end if it ends or is late."""
        end = time.monotonic() + seconds
        while not ready():
            if self.pid() is None:
                raise Failure(f"{self.name} ended before it was ready; {self.tail()}")
            if time.monotonic() > end:
                raise Failure(f"{self.name} was not ready after {seconds:.0f} s; {self.tail()}")
            time.sleep(every)

    def memory(self) -> int:
        """Resident memory in bytes, 0 if not running."""
        pid = self.pid()
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return pages * os.sysconf("SC_PAGESIZE")
