"""One Gitea instance: build, settings, first user, start and stop.

Loopback only, SQLite, its own SSH server. Never as root: an instance started by root runs as
`nobody`, with copies of what that user can't reach. Nothing is added to the machine's users.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import pwd
import re
import secrets
import shutil
import ssl
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bedlib import golang
from bedlib.common import (
    Failure,
    Progress,
    check_name,
    free_ports,
    locked,
    port_is_free,
    read_json,
    state_root,
    write_private,
)
from bedlib.pki import Authority
from bedlib.proc import Proc, as_user

HERE = Path(__file__).resolve().parent
MODULE, VERSION = "code.gitea.io/gitea", "v1.26.0"
# Of the module as a whole; the sums of what it needs are in its own go.sum.
MODULE_SUM = "h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA="
BUILD_FLAGS = ["-tags", "sqlite sqlite_unlock_notify",
               "-ldflags", f"-s -w -X main.Version={VERSION[1:]}"]
ADMIN = "gitea-admin"


# ---- building --------------------------------------------------------------------------------


def _module(go: str, env: dict[str, str]) -> Path:
    """The unpacked source, checked against the sum pinned here."""
    with Progress(f"fetching {MODULE} {VERSION}"):
        done = subprocess.run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], cwd="/",
                              env=env, capture_output=True, text=True, check=False)
    facts = json.loads(done.stdout or "{}")
    if done.returncode or "Error" in facts:
        raise Failure(f"{MODULE} {VERSION}: {facts.get('Error') or done.stderr.strip()}")
    if facts["Sum"] != MODULE_SUM:
        raise Failure(f"{MODULE} {VERSION} has the sum {facts['Sum']}, want {MODULE_SUM}")
    return Path(facts["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Copy a tree out of Go's cache, where everything is read-only."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def build() -> Path:
    """A folder with the program `gitea` and `static/` (templates, translations)."""
    def make(go: str, env: dict[str, str], folder: Path) -> None:
        source = _module(go, env)
        golang.go_build(go, env, source, [*BUILD_FLAGS, "-o", str(folder / "gitea")], "Gitea")
        for name in ("templates", "options", "public"):
            _copy(source / name, folder / "static" / name)

    return golang.cached_build("gitea", [MODULE_SUM.encode(), *map(str.encode, BUILD_FLAGS)], make)


def build_ui() -> Path:
    """A copy of `static/` with scripts and style sheets, for a person to look at.

    They are not in the module, and the API does without. Node and pnpm come from ui/'s lock file,
    everything else from Gitea's own, both with checksums.
    """
    if not shutil.which("npm"):
        raise Failure("--ui needs npm (apt-get install npm); without --ui pages are only unstyled")
    lock = (HERE / "ui" / "package-lock.json").read_bytes()

    def make(go: str, env: dict[str, str], folder: Path) -> None:
        source, work = _module(go, env), folder / "work"
        tools, tree = work / "tools", work / "tree"
        shutil.copytree(HERE / "ui", tools)
        _copy(source, tree)
        arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        node_bin = tools / f"node_modules/node-linux-{arch}/bin"
        npm_env = {**os.environ, "PATH": f"{node_bin}:{os.environ['PATH']}",
                   "npm_config_cache": str(work / "npm-cache"), "CI": "true"}
        pnpm = str(tools / "node_modules/pnpm/bin/pnpm.cjs")
        for what, argv, where in (
            ("fetching Node and pnpm",
             ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], tools),
            ("fetching what Gitea's pages need", ["node", pnpm, "install", "--frozen-lockfile",
             "--ignore-scripts", "--store-dir", str(work / "pnpm-store")], tree),
            ("building Gitea's pages", ["node", "node_modules/vite/bin/vite.js", "build"], tree),
        ):
            with Progress(what):
                done = subprocess.run(argv, cwd=where, env=npm_env, capture_output=True, text=True,
                                      check=False, preexec_fn=lambda: os.nice(10))
            if done.returncode:
                raise Failure(f"{what} failed:\n{(done.stdout + done.stderr)[:1500]}")
        for name in ("templates", "options", "public"):
            (tree / name).replace(folder / name)
        shutil.rmtree(work)

    return golang.cached_build("gitea-ui", [MODULE_SUM.encode(), lock], make, "some minutes")


# ---- an instance -----------------------------------------------------------------------------


@dataclass
class Settings:
    ports: dict[str, int] = field(default_factory=dict)
    https: bool = False
    ui: bool = False


def forges() -> Path:
    path = state_root() / "forges"
    path.mkdir(exist_ok=True)
    return path


def all_instances() -> list[Instance]:
    return [Instance(p.parent.name) for p in sorted(forges().glob("*/instance.json"))]


def lock_name(name: str) -> Path:
    return forges() / f".lock-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _reachable(path: Path) -> bool:
    """May any user enter this folder?"""
    return all(p.stat().st_mode & 0o001 for p in [path, *path.parents])


class Instance:
    def __init__(self, name: str) -> None:
        self.name = check_name(name)
        self.dir = forges() / name
        self.data = self.dir / "data"           # the only part that Gitea may write
        saved = read_json(self.dir / "instance.json")
        self.exists = saved is not None
        self.set = Settings(**(saved or {}))
        self.proc = Proc(self.dir, "gitea")
        self.pki = self.dir / "pki"

    @property
    def url(self) -> str:
        return f"{'https' if self.set.https else 'http'}://127.0.0.1:{self.set.ports['http']}"

    @property
    def ssh_url(self) -> str:
        return f"ssh://git@127.0.0.1:{self.set.ports['ssh']}"

    def facts(self) -> dict[str, object]:
        """All that a client needs; secrets as paths of files."""
        host_key = self.data / "ssh" / "gitea.ed25519.pub"
        return {
            "name": self.name, "url": self.url, "ssh_url": self.ssh_url,
            "running": self.proc.pid() is not None,
            "memory_mb": round(self.proc.memory() / 1e6), "directory": str(self.dir),
            "admin": ADMIN, "credentials_file": str(self.dir / "admin.json"),
            "token_file": str(self.dir / "token"),
            "ca_file": str(self.pki / "ca.crt") if self.set.https else None,
            "ssh_known_hosts": f"[127.0.0.1]:{self.set.ports['ssh']} "
                               + " ".join(host_key.read_text().split()[:2]),
            "signing_key": (self.data / "sign" / "key.pub").read_text().strip(),
        }

    # ---- starting ------------------------------------------------------------------------------

    def start(self) -> None:
        fresh = not self.exists
        built = build()
        static = build_ui() if self.set.ui else built / "static"
        if self.proc.pid():
            return
        try:
            with locked(forges() / ".lock-ports"):
                if fresh:
                    reserved = {p for i in all_instances() for p in i.set.ports.values()}
                    self.set.ports = dict(zip(("http", "ssh"), free_ports(2, reserved),
                                              strict=True))
                taken = [str(p) for p in self.set.ports.values() if not port_is_free(p)]
                if taken:
                    raise Failure(f"port {', '.join(taken)} of {self.name} has been taken since it "
                                  f"was stopped: `stop {self.name} --clean` and start afresh")
                self.dir.mkdir(exist_ok=True)
                write_private(self.dir / "instance.json", json.dumps(asdict(self.set)) + "\n")
            program, static = self._within_reach(built / "gitea", static)
            self._write_data(static)
            self._run(program)
            if not (self.dir / "token").exists():
                self._first_user(program)
        except BaseException:
            self.stop(clean=fresh)
            raise

    def _user(self) -> tuple[int, int] | None:
        """Who Gitea runs as: nobody if we are root, else ourselves (None)."""
        if os.geteuid() != 0 or not _reachable(forges()):
            return None
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    def _env(self) -> dict[str, str]:
        user = self._user()
        env = {"HOME": str(self.data), "PATH": os.environ["PATH"], "GITEA_WORK_DIR": str(self.data),
               "USER": "nobody" if user else pwd.getpwuid(os.geteuid()).pw_name}
        if os.geteuid() == 0 and user is None:
            # nobody can't enter the state folder (a checkout under /root): loopback only, for
            # tests, so root has to do
            env["GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT"] = "true"
        return env

    def _within_reach(self, program: Path, static: Path) -> tuple[Path, Path]:
        """The same files where the instance's user can read them: root's cache is often closed."""
        if self._user() is None or _reachable(program.parent):
            return program, static
        shared = forges() / f".program-{program.parent.name}-{static.name}"
        with locked(forges() / ".lock-program"):
            if not shared.exists():
                part = shared.with_name(shared.name + ".part")
                shutil.rmtree(part, ignore_errors=True)
                shutil.copytree(static, part / "static")
                shutil.copy2(program, part / "gitea")
                part.chmod(0o755)
                part.rename(shared)
        return shared / "gitea", shared / "static"

    def _write_data(self, static: Path) -> None:
        for folder in ("conf", "sign", "ssh", "https"):
            (self.data / folder).mkdir(parents=True, exist_ok=True)
        # made beforehand: Gitea itself would make RSA keys only
        for name, comment in (("sign/key", "gitea instance"), ("ssh/gitea.ed25519", "gitea host")):
            if not (self.data / name).exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment,
                                "-f", self.data / name], check=True)
        if self.set.https:
            ca = Authority(self.pki, f"testbed-forge-{self.name}")
            cert, key = ca.server("server", "/CN=gitea", ["IP:127.0.0.1", "DNS:localhost"])
            shutil.copy(cert, self.data / "https" / "server.crt")
            shutil.copy(key, self.data / "https" / "server.key")
        ini = self.data / "conf" / "app.ini"
        if not ini.exists():
            write_private(ini, _app_ini(self))
        # the built files move when the version does
        text = re.sub(r"(?m)^(STATIC_ROOT_PATH =).*$", rf"\1 {static}", ini.read_text())
        write_private(ini, text)
        user = self._user()
        if user:
            for path in [self.data, *self.data.rglob("*")]:
                os.chown(path, *user, follow_symlinks=False)

    def _run(self, program: Path) -> None:
        with Progress(f"forge {self.name}: starting Gitea"):
            self.proc.start([program, "--config", self.data / "conf" / "app.ini", "web"],
                            env=self._env(), cwd=self.data, user=self._user())
            self.proc.await_ready(self._healthy, 60)

    def _healthy(self) -> bool:
        try:
            conn: http.client.HTTPConnection
            if self.set.https:
                context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
                conn = http.client.HTTPSConnection("127.0.0.1", self.set.ports["http"], timeout=5,
                                                   context=context)
            else:
                conn = http.client.HTTPConnection("127.0.0.1", self.set.ports["http"], timeout=5)
            conn.request("GET", "/api/healthz")
            return conn.getresponse().status == 200
        except OSError:
            return False

    def _first_user(self, program: Path) -> None:
        """The admin, a password for a person to log in with, a token for programs."""
        password = secrets.token_urlsafe(12)
        done = subprocess.run(
            [program, "--config", self.data / "conf" / "app.ini", "admin", "user", "create",
             "--admin", "--username", ADMIN, "--email", "admin@forge.test", "--password", password,
             "--must-change-password=false", "--access-token", "--access-token-name", "testbed",
             "--access-token-scopes", "all"],
            env=self._env(), cwd=self.data, capture_output=True, text=True, check=False,
            **as_user(self._user()))
        token = re.search(r"\b[0-9a-f]{40}\b", done.stdout)
        if done.returncode or not token:
            raise Failure(f"gitea admin user create: {(done.stdout + done.stderr).strip()[-500:]}")
        write_private(self.dir / "admin.json", json.dumps(
            {"username": ADMIN, "password": password, "token": token[0]}) + "\n")
        write_private(self.dir / "token", token[0] + "\n")

    # ---- stopping ------------------------------------------------------------------------------

    def stop(self, clean: bool = False) -> None:
        self.proc.stop(kill=clean, seconds=15)
        if clean:
            shutil.rmtree(self.dir, ignore_errors=True)
            if self.dir.exists():
                raise Failure(f"could not remove all of {self.dir}")
            if not all_instances():
                for shared in forges().glob(".program-*"):
                    shutil.rmtree(shared, ignore_errors=True)


def _app_ini(forge: Instance) -> str:
    scheme = "https" if forge.set.https else "http"
    port, ssh_port, data = forge.set.ports["http"], forge.set.ports["ssh"], forge.data
    return f"""\
APP_NAME = modelsync test forge
WORK_PATH = {data}
RUN_MODE = prod

[server]
PROTOCOL = {scheme}
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = {scheme}://127.0.0.1:{port}/
CERT_FILE = {data}/https/server.crt
KEY_FILE = {data}/https/server.key
STATIC_ROOT_PATH =
OFFLINE_MODE = true
START_SSH_SERVER = true
BUILTIN_SSH_SERVER_USER = git
SSH_DOMAIN = 127.0.0.1
SSH_LISTEN_HOST = 127.0.0.1
SSH_LISTEN_PORT = {ssh_port}
SSH_PORT = {ssh_port}
SSH_SERVER_HOST_KEYS = {data}/ssh/gitea.ed25519
LFS_START_SERVER = true
LFS_JWT_SECRET = {secrets.token_urlsafe(32)}

[database]
DB_TYPE = sqlite3
PATH = {data}/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = {secrets.token_urlsafe(32)}
INTERNAL_TOKEN = {secrets.token_urlsafe(64)}

[service]
DISABLE_REGISTRATION = true

[repository]
ROOT = {data}/repositories
DEFAULT_BRANCH = main

[repository.signing]
SIGNING_FORMAT = ssh
SIGNING_KEY = {data}/sign/key.pub
SIGNING_NAME = Gitea Instance
SIGNING_EMAIL = gitea@forge.test
INITIAL_COMMIT = always
CRUD_ACTIONS = always
MERGES = always
WIKI = never

[webhook]
; the host itself, and the test clusters' pods and services
ALLOWED_HOST_LIST = loopback, 198.18.0.0/15
SKIP_TLS_VERIFY = true
DELIVER_TIMEOUT = 5

[session]
PROVIDER = memory

[log]
MODE = console
LEVEL = info

[picture]
DISABLE_GRAVATAR = true

[indexer]
ISSUE_INDEXER_TYPE = db

[cron.update_checker]
ENABLED = false

[oauth2]
ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false
"""
