"""The test bed from Python: clusters, forges, signed commits, the agent under test.

    cluster = Cluster.start()                       # started, or found running
    forge = Forge.start()
    forge.create_repo("team", "fleet")
    alice = Signer("alice", tmp_path)
    repo = Repo.clone(forge, "team/fleet", tmp_path / "fleet", alice)
    repo.write("app/cm.yaml", "...")
    sha = repo.commit("first")                      # signed with alice's key
    repo.push()
    wait_until(lambda: forge.state("team/fleet", sha) == "success", 20, "status on the commit")

Clusters and forges outlive the test session on purpose: the next one finds them running.
`tests/cluster/cluster stop --all --clean` and `tests/forge/forge stop --all --clean` end them.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.client
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from bedlib.common import free_ports  # noqa: E402

CLUSTER = TESTS / "cluster" / "cluster"
FORGE = TESTS / "forge" / "forge"
T = TypeVar("T")
Json = dict[str, Any]


class CommandFailed(Exception):
    """A program ended with another code than 0; the message holds what it said."""

    def __init__(self, argv: Sequence[str], code: int, output: str) -> None:
        super().__init__(f"{shlex.join(argv)[:300]}: exit code {code}\n{output.strip()[-3000:]}")
        self.code, self.output = code, output


class HttpError(Exception):
    """An answer that was not wanted; `status` is its code, 0 if there was none."""

    def __init__(self, what: str, status: int, body: str) -> None:
        super().__init__(f"{what}: HTTP {status}: {body[:1000]}")
        self.status, self.body = status, body


def run(*argv: str | Path, input: str | None = None, env: Mapping[str, str] | None = None,
        cwd: Path | None = None, timeout: float = 120) -> str:
    """Run a program, return what it printed. Anything but exit code 0 is CommandFailed."""
    words = [str(a) for a in argv]
    done = subprocess.run(words, input=input, env=env, cwd=cwd, timeout=timeout, text=True,
                          capture_output=True, check=False)
    if done.returncode:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout


def wait_until(check: Callable[[], T], timeout: float, what: str, every: float = 0.1) -> T:
    """Call `check` until it returns something true, and return that.

    A failed command, request, look-up or assertion counts as "not yet". On timeout the message
    says what was waited for and what was seen last.
    """
    began, last = time.monotonic(), ""
    while True:
        try:
            value = check()
            if value:
                return value
            last = f"last seen: {value!r}"
        except (CommandFailed, HttpError, OSError, AssertionError, LookupError) as error:
            last = f"last error: {type(error).__name__}: {error}"
        if time.monotonic() - began > timeout:
            raise TimeoutError(f"waited {timeout:g} s for {what}; {last}")
        time.sleep(every)


def _request(url: str, method: str, body: Any, headers: Mapping[str, str],
             context: ssl.SSLContext | None, timeout: float = 30) -> tuple[int, str]:
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname
    conn: http.client.HTTPConnection
    if parts.scheme == "https":
        conn = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout,
                                           context=context)
    else:
        conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    data = body if body is None or isinstance(body, str) else json.dumps(body)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        conn.request(method, target, data, {"Content-Type": "application/json", **headers})
        answer = conn.getresponse()
        return answer.status, answer.read().decode()
    except http.client.HTTPException as error:
        raise HttpError(f"{method} {url}", 0, str(error)) from error
    finally:
        conn.close()


# ---- clusters --------------------------------------------------------------------------------


class AuditMark(int):
    """A place in the audit log, and when: what began earlier may end after it."""

    at: str

    def __new__(cls, offset: int) -> AuditMark:
        mark = super().__new__(cls, offset)
        mark.at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return mark


class Cluster:
    """A Kubernetes API server of the test bed, or the user's own (`external`)."""

    def __init__(self, kubeconfig: Path, kubectl: Sequence[str | Path], facts: Json | None) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._facts = facts or {}
        self.name: str = self._facts.get("name", "")
        self.url: str = self._facts.get("url", "")
        # where pods reach what listens on the host
        self.host_address: str = self._facts.get("host_address", "")
        self._context: ssl.SSLContext | None = None

    @classmethod
    def start(cls, name: str = "e2e", *, node: bool = False, audit: bool = False,
              fsync: bool = False, feature_gates: str = "",
              apiserver_flags: Iterable[str] = ()) -> Cluster:
        """Start the instance, or take it as it is if it runs with these options."""
        argv: list[str | Path] = [CLUSTER, "start", "--name", name]
        argv += [f"--{flag}" for flag, on in
                 (("node", node), ("audit", audit), ("fsync", fsync)) if on]
        argv += [f"--feature-gates={feature_gates}"] if feature_gates else []
        argv += [f"--apiserver-flag={flag}" for flag in apiserver_flags]
        _show(*argv)
        facts = json.loads(run(CLUSTER, "status", name, "--json"))[0]
        program = Path(facts["directory"]) / "testkube"
        return cls(Path(facts["kubeconfig"]), [program, "kubectl"], facts)

    @classmethod
    def external(cls, kubeconfig: Path) -> Cluster:
        """A cluster that is not ours. kubectl is the one on PATH, else the test bed's."""
        on_path = shutil.which("kubectl")
        program = [on_path] if on_path else [run(CLUSTER, "build").strip(), "kubectl"]
        return cls(kubeconfig, program, None)

    def stop(self, clean: bool = False) -> None:
        _show(CLUSTER, "stop", self.name, *(["--clean"] if clean else []))

    def kubeconfig_for(self, user: str, groups: Iterable[str] = ()) -> Path:
        """A kubeconfig with a certificate of its own. `bench` may do all; new users nothing."""
        return Path(run(CLUSTER, "kubeconfig", self.name, "--user", user,
                        *[f"--group={g}" for g in groups]).strip())

    def kubectl(self, *args: str | Path, input: str | None = None, timeout: float = 60,
                kubeconfig: Path | None = None) -> str:
        env = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "KUBERC": "off"}
        if self._facts:
            env["KUBECACHEDIR"] = str(Path(self._facts["directory"]) / "kubectl-cache")
        return run(*self._kubectl, *args, input=input, env=env, timeout=timeout)

    def get_json(self, *args: str) -> Json:
        """`kubectl get ARGS` as JSON, with the managedFields that kubectl otherwise hides."""
        return dict(json.loads(self.kubectl("get", *args, "-o", "json", "--show-managed-fields")))

    def api(self, method: str, path: str, body: Any = None,
            content_type: str = "application/json") -> Json:
        """One request as admin, in milliseconds; HttpError unless 2xx. Own instances only."""
        if self._context is None:
            pki = Path(self._facts["directory"]) / "pki"
            self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
            self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        status, text = _request(self.url + path, method, body, {"Content-Type": content_type},
                                self._context)
        if not 200 <= status < 300:
            raise HttpError(f"{method} {path}", status, text)
        return dict(json.loads(text)) if text.startswith("{") else {"text": text}

    def get(self, path: str) -> Json | None:
        """The object at an API path, None if there is none: made for polling."""
        try:
            if self._facts:
                return self.api("GET", path)
            return dict(json.loads(self.kubectl("get", "--raw", path)))
        except HttpError as error:
            if error.status == 404:
                return None
            raise
        except CommandFailed as error:
            if "NotFound" in error.output:
                return None
            raise

    def apply(self, *objects: Json | str) -> None:
        """Apply objects (or YAML texts) as somebody other than the agent."""
        text = "\n---\n".join(o if isinstance(o, str) else json.dumps(o) for o in objects)
        self.kubectl("apply", "--server-side", "-f", "-", input=text)

    def new_namespace(self, prefix: str = "t") -> str:
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        return name

    # components, by name: etcd, apiserver, controller-manager, scheduler, and on a node
    # containerd, kube-proxy, kubelet

    def stop_component(self, *components: str, kill: bool = False) -> None:
        run(CLUSTER, "stop-component", self.name, *components, *(["--kill"] if kill else []))

    def start_component(self, *components: str) -> None:
        run(CLUSTER, "start-component", self.name, *components)

    def signal(self, component: str, name: str) -> None:
        """"STOP" makes a component hang with its port open, "CONT" lets it go on."""
        run(CLUSTER, "signal", self.name, component, name)

    # the audit log (needs audit=True): how many requests did somebody make?

    def audit_mark(self) -> AuditMark:
        return AuditMark(Path(self._facts["audit_log"]).stat().st_size)

    def requests(self, since: int = 0, *, agent: str = "", user: str = "") -> list[Json]:
        """Requests after the mark, once each, by User-Agent prefix and by user. A request is
        written when it ends (a watch when it begins, too)."""
        found: dict[str, Json] = {}
        begun = since.at if isinstance(since, AuditMark) else ""
        with open(self._facts["audit_log"], "rb") as log:
            log.seek(max(0, since - 1))
            if since and log.read(1) != b"\n":
                log.readline()      # the mark fell into a line: it belongs to before
            for line in log:
                if not line.endswith(b"\n"):
                    break           # still being written
                event = json.loads(line)
                if event.get("userAgent", "").startswith(agent) and \
                        user in ("", event["user"]["username"]) and \
                        event["requestReceivedTimestamp"] >= begun:
                    found[event["auditID"]] = event
        return list(found.values())


def _show(*argv: str | Path) -> None:
    """Run one of our own commands with its progress lines passed through."""
    words = [str(a) for a in argv]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise CommandFailed(words, done.returncode, done.stdout)


# ---- forges ----------------------------------------------------------------------------------


class Forge:
    """A Gitea of the test bed. Repositories are named "owner/name"."""

    def __init__(self, facts: Json) -> None:
        self.name: str = facts["name"]
        self.url: str = facts["url"]
        self.ssh_url: str = facts["ssh_url"]
        self.ca_file: str | None = facts["ca_file"]
        self.known_hosts: str = facts["ssh_known_hosts"]
        self.signing_key: str = facts["signing_key"]        # of merges made by the forge
        self.token: str = Path(facts["token_file"]).read_text().strip()
        self.admin: Json = json.loads(Path(facts["credentials_file"]).read_text())
        self._context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None

    @classmethod
    def start(cls, name: str = "e2e", *, https: bool = False, ui: bool = False) -> Forge:
        _show(FORGE, "start", "--name", name, *(["--https"] if https else []),
              *(["--ui"] if ui else []))
        return cls(json.loads(run(FORGE, "status", name, "--json"))[0])

    def stop(self, clean: bool = False) -> None:
        _show(FORGE, "stop", self.name, *(["--clean"] if clean else []))

    def restart(self) -> None:
        """After a stop(): the same forge again, on the same ports."""
        _show(FORGE, "start", "--name", self.name)

    def api(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """One request under /api/v1; HttpError unless 2xx."""
        status, text = _request(f"{self.url}/api/v1{path}", method, body,
                                {"Authorization": f"token {token or self.token}"}, self._context)
        if not 200 <= status < 300:
            raise HttpError(f"{method} {path}", status, text)
        return json.loads(text) if text else None

    def create_org(self, name: str) -> None:
        try:
            self.api("POST", "/orgs", {"username": name})
        except HttpError as error:
            if error.status != 422:         # there already
                raise

    def create_repo(self, owner: str, name: str, *, private: bool = True) -> str:
        """An empty repository of an organisation, which is made if need be: "owner/name"."""
        self.create_org(owner)
        self.api("POST", f"/orgs/{owner}/repos",
                 {"name": name, "private": private, "default_branch": "main"})
        return f"{owner}/{name}"

    def create_token(self, *scopes: str) -> str:
        """A token of the admin with these scopes only, such as "write:repository"."""
        pair = base64.b64encode(f"{self.admin['username']}:{self.admin['password']}".encode())
        status, text = _request(
            f"{self.url}/api/v1/users/{self.admin['username']}/tokens", "POST",
            {"name": secrets.token_hex(6), "scopes": list(scopes)},
            {"Authorization": f"Basic {pair.decode()}"}, self._context)
        if status != 201:
            raise HttpError("create token", status, text)
        return str(json.loads(text)["sha1"])

    def add_ssh_key(self, public_key: str) -> None:
        self.api("POST", "/user/keys", {"title": secrets.token_hex(6), "key": public_key})

    def http_url(self, repo: str) -> str:
        return f"{self.url}/{repo}.git"

    def ssh_repo_url(self, repo: str) -> str:
        return f"{self.ssh_url}/{repo}.git"

    def statuses(self, repo: str, sha: str) -> list[Json]:
        """All statuses ever written on a commit, newest first."""
        found = self.api("GET", f"/repos/{repo}/statuses/{sha}?limit=50")
        return sorted(found or [], key=lambda s: s["id"], reverse=True)

    def state(self, repo: str, sha: str, context: str = "") -> str:
        """The newest status' state on a commit ("" if none), of one context or of any."""
        mine = [s for s in self.statuses(repo, sha) if context in ("", s["context"])]
        return str(mine[0]["status"]) if mine else ""

    def set_status(self, repo: str, sha: str, state: str, context: str, text: str = "") -> None:
        self.api("POST", f"/repos/{repo}/statuses/{sha}",
                 {"state": state, "context": context, "description": text})

    def open_pull(self, repo: str, head: str, title: str, base: str = "main") -> int:
        answer = self.api("POST", f"/repos/{repo}/pulls",
                          {"head": head, "base": base, "title": title})
        return int(answer["number"])

    def merge_pull(self, repo: str, number: int, style: str = "merge") -> str:
        """Merge and return the new commit. Styles: merge, squash, rebase, fast-forward-only."""
        path = f"/repos/{repo}/pulls/{number}"
        wait_until(lambda: self.api("GET", path)["mergeable"], 20, f"{path} to be mergeable")
        self.api("POST", f"{path}/merge", {"Do": style})
        return str(self.api("GET", path)["merge_commit_sha"])


# ---- signed commits --------------------------------------------------------------------------


class Signer:
    """A person with an Ed25519 SSH key of their own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.email = name, f"{name}@example.com"
        self.key = folder / f"key-{name}"
        if not self.key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.email, "-f", self.key)
        self.public_key = self.key.with_name(self.key.name + ".pub").read_text().strip()

    def allowed_signers(self, options: str = 'namespaces="git"') -> str:
        """The line for this key in an allowed_signers file."""
        return f"{self.email} {options + ' ' if options else ''}{self.public_key}\n"


def git_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for git without the user's settings, prompts, agents and hooks."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "SSH_"))}
    return {**kept, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true",
            "LC_ALL": "C.UTF-8", "TZ": "UTC", **(extra or {})}


class Repo:
    """A working tree. Commits are signed by `signer` unless told otherwise."""

    def __init__(self, path: Path, signer: Signer, settings: Mapping[str, str] | None = None,
                 env: Mapping[str, str] | None = None) -> None:
        self.path, self.signer = path, signer
        self._settings = {"gpg.format": "ssh", "core.hooksPath": "/dev/null", "gc.auto": "0",
                          "init.defaultBranch": "main", "protocol.file.allow": "always",
                          **(settings or {})}
        self._env = dict(env or {})
        self._in_forge: Callable[[], bool] | None = None

    @classmethod
    def init(cls, path: Path, signer: Signer, remote: str | Path | None = None) -> Repo:
        """A new repository, with `remote` (a bare one's path, say) as origin."""
        path.mkdir(parents=True)
        repo = cls(path, signer)
        repo.git("init", "--quiet")
        if remote is not None:
            repo.git("remote", "add", "origin", str(remote))
        return repo

    @classmethod
    def clone(cls, forge: Forge, name: str, path: Path, signer: Signer, *, ssh: bool = False,
              ssh_key: Path | None = None, token: str | None = None) -> Repo:
        """Clone from a forge over HTTP with a token, or over SSH with a key the forge knows."""
        path.mkdir(parents=True)
        if ssh:
            (path.parent / "known_hosts").write_text(forge.known_hosts + "\n")
            repo = cls(path, signer, env={"GIT_SSH_COMMAND": shlex.join([
                "ssh", "-F", "/dev/null", "-i", str(ssh_key or signer.key),
                "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o",
                f"UserKnownHostsFile={path.parent / 'known_hosts'}"])})
        else:
            settings = {"http.extraHeader": f"Authorization: token {token or forge.token}"}
            if forge.ca_file:
                settings["http.sslCAInfo"] = forge.ca_file
            repo = cls(path, signer, settings)
        url = forge.ssh_repo_url(name) if ssh else forge.http_url(name)
        repo.git("clone", "--quiet", url, ".")
        repo._in_forge = lambda: not forge.api("GET", f"/repos/{name}")["empty"]
        return repo

    def git(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        # settings by environment: a token in an argument would show in the process list
        settings = {"GIT_CONFIG_COUNT": str(len(self._settings))}
        for i, (key, value) in enumerate(self._settings.items()):
            settings |= {f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value}
        return run("git", "-C", self.path, *args,
                   env=git_env({**settings, **self._env, **(env or {})})).strip()

    def write(self, path: str, text: str) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def remove(self, path: str) -> None:
        (self.path / path).unlink()

    def _person(self, signer: Signer, date: int | None) -> dict[str, str]:
        person: dict[str, str] = {}
        for role in ("AUTHOR", "COMMITTER"):
            person |= {f"GIT_{role}_NAME": signer.name, f"GIT_{role}_EMAIL": signer.email}
            person |= {f"GIT_{role}_DATE": f"{date} +0000"} if date is not None else {}
        return person

    def commit(self, message: str, *, signer: Signer | None = None, sign: bool = True,
               date: int | None = None) -> str:
        """Commit everything as it is in the tree; returns the commit's id. `date` is Unix time."""
        who = signer or self.signer
        self.git("add", "--all")
        how = [f"--gpg-sign={who.key}"] if sign else ["--no-gpg-sign"]
        self.git("commit", "--quiet", "--allow-empty", "-m", message, *how,
                 env=self._person(who, date))
        return self.head()

    def revert(self, sha: str) -> str:
        self.git("revert", "--no-edit", f"--gpg-sign={self.signer.key}", sha,
                 env=self._person(self.signer, None))
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def push(self, ref: str = "HEAD:refs/heads/main", *, force: bool = False) -> None:
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", ref)
        if self._in_forge:
            # Gitea notes a first push a moment later; until then its API answers 500 for branches
            wait_until(self._in_forge, 10, "the forge to have noticed the push")
            self._in_forge = None


def bare_repository(path: Path) -> Path:
    """An empty bare repository with `main` as its branch, for tests that need no forge."""
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", path, env=git_env())
    return path


class HangingServer:
    """Accepts TCP connections, says `greeting`, and then nothing, until closed."""

    def __init__(self, greeting: bytes = b"") -> None:
        self._socket = socket.create_server(("127.0.0.1", free_ports(1)[0]))
        self.port: int = self._socket.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self._greeting = greeting
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                conn, _ = self._socket.accept()
                self.accepted.append(conn)
                conn.sendall(self._greeting)
            except ConnectionError:
                continue
            except OSError:
                return

    def close(self) -> None:
        # shutdown wakes the accept() that a close alone would leave sleeping
        self._socket.shutdown(socket.SHUT_RDWR)
        for sock in [self._socket, *self.accepted]:
            sock.close()

    def __enter__(self) -> HangingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ---- the program under test ------------------------------------------------------------------

_PAIR = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


def parse_logfmt(line: str) -> dict[str, str]:
    r"""`level=info msg="a \"b\""` as a dictionary; what is not key=value is left out."""
    def plain(quoted: str) -> str:
        escapes = {"n": "\n", "t": "\t", "r": "\r"}
        return re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), quoted)

    return {m[1]: plain(m[2]) if m[2] is not None else m[3] for m in _PAIR.finditer(line)}


class Agent:
    """A program that runs beside the test: its log is read line by line as logfmt.

        with Agent([BINARY, "run", ...], tmp_path / "agent.log") as agent:
            agent.wait_line(10, msg="sync finished", application="web")
    """

    def __init__(self, argv: Sequence[str | Path], log: Path,
                 env: Mapping[str, str] | None = None) -> None:
        self.argv, self.log = [str(a) for a in argv], log
        self.env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Agent:
        assert not self.alive(), f"{self.argv[0]} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env, start_new_session=True)
        return self

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def stop(self, timeout: float = 15) -> int:
        """SIGTERM and wait; the exit code (negative: the signal). Late is an error."""
        assert self.process is not None, "not started"
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.argv[0]} did not end within {timeout:g} s of SIGTERM:\n"
                               + self.tail()) from None

    def kill(self) -> None:
        """SIGKILL to it and its children, as when a machine goes down."""
        assert self.process is not None, "not started"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)     # it leads a group of its own
        self.process.wait()

    def mark(self) -> int:
        """A place in the log, for `lines` and `wait_line`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def lines(self, since: int = 0) -> list[dict[str, str]]:
        if not self.log.exists():
            return []
        with open(self.log, "rb") as log:
            log.seek(since)
            text = log.read()
        whole = text[:text.rfind(b"\n") + 1].decode(errors="replace")
        return [parse_logfmt(line) for line in whole.splitlines()]

    def wait_line(self, timeout: float, since: int = 0, **fields: str) -> dict[str, str]:
        """The first line after `since` that has all these fields with these values."""
        def find() -> dict[str, str] | None:
            for line in self.lines(since):
                if all(line.get(k) == v for k, v in fields.items()):
                    return line
            if not self.alive():
                raise RuntimeError(f"{self.argv[0]} has ended:\n{self.tail()}")
            return None

        try:
            found = wait_until(find, timeout, f"log line {fields}", every=0.05)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None
        assert found is not None
        return found

    def tail(self, lines: int = 20) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"last lines of {self.log}:\n" + "\n".join(text.splitlines()[-lines:])

    def memory(self, peak: bool = False) -> int:
        """Resident memory in bytes, now or at its highest."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB$", text, re.MULTILINE)
        assert match, "no such process"
        return int(match[1]) * 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Agent:
        return self if self.alive() else self.start()

    def __exit__(self, *_: object) -> None:
        if self.alive():
            self.kill()
