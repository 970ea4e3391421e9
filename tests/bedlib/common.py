"""Where things are, how long things take, and how failures are told."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]


class Failure(Exception):
    """Something the user can act on: printed as one message, without a traceback."""


def state_root() -> Path:
    """Everything that runs keeps its state under here; nothing else on the machine is written."""
    path = Path(os.environ.get("TESTBED_DIR") or REPO / "build" / "testbed").resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def cache_root() -> Path:
    """What is kept between runs: built programs, a Go toolchain, the Python environment."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "modelsync-testbed"
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Progress:
    """`with Progress("starting etcd") as p:` says so once it has taken two seconds.

    On a terminal one line counts the seconds; in a log there is a line at two seconds and then
    one every half minute. `p.detail` may be set at any time.
    """

    def __init__(self, what: str) -> None:
        self.what, self.detail = what, ""
        self.began = time.monotonic()
        self.shown = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def _line(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.what}{detail} ... {time.monotonic() - self.began:.0f} s"

    def _run(self) -> None:
        tty, wait = sys.stderr.isatty(), 2.0
        while not self._end.wait(wait):
            self.shown = True
            if tty:
                print(f"\r\033[K{self._line()[:100]}", end="", file=sys.stderr, flush=True)
            else:
                say(self._line())
            wait = 1.0 if tty else 30.0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self.shown:
            took = time.monotonic() - self.began
            clear = "\r\033[K" if sys.stderr.isatty() else ""
            say(f"{clear}{self.what}: {'failed after' if kind else 'done in'} {took:.1f} s")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock on `path`: one builder, one starter at a time. Freed by the kernel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def await_true(check: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def free_ports(count: int, reserved: Set[int] = frozenset()) -> list[int]:
    """Loopback ports that nobody has, below the range the kernel gives to outgoing connections.

    Below it, because an instance keeps its ports while one of its components is down: a port out
    of that range could meanwhile become the source port of somebody's connection.
    """
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        for _ in range(2000):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                sock.bind(("127.0.0.1", random.randrange(20000, 30000)))
            except OSError:
                sock.close()
                continue
            held.append(sock)
            port = sock.getsockname()[1]
            if port not in reserved:
                found.append(port)
            if len(found) == count:
                return found
    finally:
        for sock in held:
            sock.close()
    raise Failure("no free loopback ports between 20000 and 29999")


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", name):
        raise Failure(f"instance name {name!r}: want 1 to 20 of a-z, 0-9 and inner dashes")
    return name


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    part.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def run_command(main: Callable[[], int]) -> None:
    """Run a command line's main: failures as one message and 1, Ctrl-C as 130."""
    def ended(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)      # so that what was begun is cleaned up

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)
    os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    try:
        sys.exit(main())
    except Failure as failure:
        say(f"{Path(sys.argv[0]).name}: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
