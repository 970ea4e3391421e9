"""One agent with namespaces, a repository, signers and a policy of its own: what a test works in.

    world.push({"app/a.yaml": text(config_map("a", k="1"))})
    world.start()
    world.synced(sha)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import manifests
from bed import TESTS, Agent, Cluster, Forge, Repo, Signer, bare_repository, free_ports, wait_until
from manifests import API, Json

T = TypeVar("T")
BINARY = Path(os.environ.get("MODELSYNC_BIN") or TESTS.parent / "build" / "modelsync").resolve()
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer")
# a sanitizer build is slower, and other workers share the cores: waits end early when all is well
PATIENCE = 1.0 if not BINARY.exists() else 3.0 if b"__asan_init" in BINARY.read_bytes() else 1.0


def check_sanitizers(text: str) -> None:
    found = SANITIZER.search(text)
    if found:
        raise AssertionError(f"sanitizer report:\n{text[max(0, found.start() - 200):][:6000]}")


class World:
    def __init__(self, cluster: Cluster, forge: Forge, folder: Path) -> None:
        self.cluster, self.forge, self.folder = cluster, forge, folder
        mark = secrets.token_hex(3)
        self.ns, self.target = f"agent-{mark}", f"app-{mark}"
        self.app = "web"
        self.user = f"agent-{mark}"         # of the agent's requests, in the audit log
        self.key = f"{self.ns}/{self.app}"
        self.context = f"modelsync/{self.key}"
        self.dev, self.stranger = Signer("dev", folder), Signer("stranger", folder)
        self.kubeconfig = cluster.kubeconfig_for(self.user, ["system:masters"])
        self.port = free_ports(1)[0]
        self.agent: Agent | None = None
        for name in (self.ns, self.target):
            self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                               "metadata": {"name": name}})

    # ---- set-up ----

    def use_forge(self, *, private: bool = True, policy: bool = True, **spec: Any) -> World:
        """A repository in the forge, its credentials, the policy and the Application."""
        self.repo_name = self.forge.create_repo("team", f"fleet-{self.ns}", private=private)
        self.url = self.forge.http_url(self.repo_name)
        self.repo = Repo.clone(self.forge, self.repo_name, self.folder / "tree", self.dev)
        self.put(manifests.repository(self.ns, self.forge.url, password=self.forge.token,
                                      username=self.forge.admin["username"]),
                 manifests.secret("forge", self.ns, token=self.forge.token))
        spec.setdefault("commitStatus", self.commit_status())
        return self._rest(policy, spec)

    def use_folder(self, *, policy: bool = True, **spec: Any) -> World:
        """A bare repository on this disk: quicker, without commit statuses."""
        bare = bare_repository(self.folder / "bare.git")
        self.repo = Repo.init(self.folder / "tree", self.dev, bare)
        self.url = f"file://{bare}"
        return self._rest(policy, spec)

    def _rest(self, policy: bool, spec: Json) -> World:
        if policy:
            self.policy()
        self.apply_app(**spec)
        return self

    def commit_status(self, url: str = "") -> Json:
        return {"provider": "gitea", "url": url or self.forge.url, "secretRef": {"name": "forge"}}

    def policy(self, allowed: str = "", **more: Any) -> None:
        self.put(manifests.trust_policy(self.ns, allowed or self.dev.allowed_signers(), **more))

    def apply_app(self, **spec: Any) -> None:
        self.put(manifests.application(self.ns, self.app, self.url, self.target, **spec))

    def patch_app(self, spec: Json) -> None:
        self.patch(f"{API}/namespaces/{self.ns}/applications/{self.app}", {"spec": spec})

    # ---- the agent and the command line ----

    def start(self, *flags: str, kubeconfig: Path | None = None) -> Agent:
        """The agent as a process, its log at level debug; started again after stop or kill."""
        argv: list[str | Path] = [
            BINARY, "run", "--kubeconfig", kubeconfig or self.kubeconfig, "--namespace", self.ns,
            "--listen", f"127.0.0.1:{self.port}", "--cache-dir", self.folder / "cache",
            "--log-level", "debug", "--poll-interval", "1s", "--allow-http-urls",
            "--allow-file-urls", *flags]
        if self.agent is None or flags or kubeconfig:
            self.agent = Agent(argv, self.folder / "agent.log", clean_env())
            self.agent.env = clean_env()
        return self.agent.start()

    def modelsync(self, *args: str | Path, code: int | None = 0, timeout: float = 60,
                  cwd: Path | None = None) -> str:
        """Run a subcommand against this world; standard output and error together."""
        words = [str(a) for a in args]
        if words[0] in ("status", "sync", "wait", "diff"):
            words += ["--kubeconfig", str(self.cluster.kubeconfig), "--namespace", self.ns]
        done = subprocess.run([str(BINARY), *words], capture_output=True, text=True, check=False,
                              timeout=timeout * PATIENCE, env=clean_env(), cwd=cwd)
        check_sanitizers(done.stderr)
        said = done.stdout + done.stderr
        assert code is None or done.returncode == code, \
            f"modelsync {' '.join(words)}: exit code {done.returncode}, wanted {code}\n{said}"
        return said

    def http(self, path: str) -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as conn:
            conn.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = b"".join(iter(lambda: conn.recv(65536), b""))
        head, _, body = data.decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def metric(self, name: str) -> float:
        for line in self.http("/metrics")[1].splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        raise LookupError(name)

    def close(self) -> None:
        """Stop the agent; a crash, a late end or a sanitizer's report is an error."""
        code = None
        if self.agent and self.agent.process:
            code = self.agent.stop() if self.agent.alive() else self.agent.process.returncode
        for name in (self.ns, self.target):
            with contextlib.suppress(Exception):
                self.cluster.api("DELETE", f"/api/v1/namespaces/{name}")
        if self.agent and self.agent.log.exists():
            check_sanitizers(self.agent.log.read_text(errors="replace"))
        assert code in (None, 0, -9), f"the agent ended with code {code}"

    # ---- Git ----

    def push(self, files: dict[str, str] | None = None, remove: Iterable[str] = (),
             message: str = "change", signer: Signer | None = None, sign: bool = True) -> str:
        """Commit these changes and push them; the commit's id."""
        for path, content in (files or {}).items():
            self.repo.write(path, content)
        for path in remove:
            self.repo.remove(path)
        sha = self.repo.commit(message, signer=signer, sign=sign)
        self.repo.push()
        return sha

    def push_forced(self, files: dict[str, str], message: str = "another line") -> str:
        for path, content in files.items():
            self.repo.write(path, content)
        sha = self.repo.commit(message)
        self.repo.push(force=True)
        return sha

    def push_maps(self, *names: str, **more: str) -> str:
        """One ConfigMap a file, with k: 1; `more` gives other values."""
        values = {**dict.fromkeys(names, "1"), **more}
        return self.push({f"app/{n}.yaml": manifests.text(manifests.config_map(n, k=v))
                          for n, v in values.items()})

    # ---- the cluster ----

    def create(self, path: str, body: Json) -> Json:
        return self.cluster.api("POST", path, body)

    def put(self, *objects: Json) -> None:
        """Create or replace as somebody else: server-side apply through the API."""
        for o in objects:
            group, version = o["apiVersion"].rpartition("/")[::2]
            plural = {"NetworkPolicy": "networkpolicies", "TrustPolicy": "trustpolicies"}.get(
                o["kind"], o["kind"].lower() + "s")
            base = f"/apis/{group}/{version}" if group else f"/api/{version}"
            space = o["metadata"].get("namespace")
            path = f"{base}/namespaces/{space}/{plural}" if space else f"{base}/{plural}"
            self.cluster.api("PATCH", f"{path}/{o['metadata']['name']}"
                             "?fieldManager=somebody&force=true", o, "application/apply-patch+yaml")

    def patch(self, path: str, body: Json) -> Json:
        return self.cluster.api("PATCH", path, body, "application/merge-patch+json")

    def path(self, name: str, plural: str = "configmaps") -> str:
        base = {"deployments": "/apis/apps/v1"}.get(plural, "/api/v1")
        return f"{base}/namespaces/{self.target}/{plural}/{name}"

    def get(self, name: str, plural: str = "configmaps") -> Json | None:
        return self.cluster.get(self.path(name, plural))

    def value(self, name: str) -> str | None:
        found = self.get(name)
        return found["data"]["k"] if found else None

    def edit(self, name: str, value: str = "by hand") -> None:
        self.patch(self.path(name), {"data": {"k": value}})

    def delete(self, name: str, plural: str = "configmaps") -> None:
        self.cluster.api("DELETE", self.path(name, plural))

    def names(self) -> list[str]:
        """ConfigMaps in the target namespace, without Kubernetes' own."""
        items = self.cluster.api("GET", f"/api/v1/namespaces/{self.target}/configmaps")["items"]
        return sorted(i["metadata"]["name"] for i in items
                      if i["metadata"]["name"] != "kube-root-ca.crt")

    def versions(self) -> dict[str, str]:
        """resourceVersion of every object in the target namespace: differs if any was written."""
        found = {}
        for plural in ("configmaps", "secrets", "services"):
            for i in self.cluster.api("GET", f"/api/v1/namespaces/{self.target}/{plural}")["items"]:
                found[f"{plural}/{i['metadata']['name']}"] = i["metadata"]["resourceVersion"]
        return found

    def application(self) -> Json:
        found = self.cluster.get(f"{API}/namespaces/{self.ns}/applications/{self.app}")
        assert found is not None, "there is no Application"
        return found

    def part_of(self) -> str:
        """The label's value on the Application's objects."""
        for o in self.cluster.api("GET", f"/api/v1/namespaces/{self.target}/configmaps")["items"]:
            label = o["metadata"].get("labels", {}).get("applyset.kubernetes.io/part-of")
            if label:
                return str(label)
        raise LookupError("no object of ours")

    def status(self) -> Json:
        return dict(self.application().get("status") or {})

    def condition(self, kind: str) -> Json:
        for c in self.status().get("conditions", []):
            if c["type"] == kind:
                return dict(c)
        return {}

    def events(self, reason: str = "") -> list[Json]:
        items = self.cluster.api(
            "GET", f"/apis/events.k8s.io/v1/namespaces/{self.ns}/events")["items"]
        return [e for e in items if reason in ("", e["reason"])]

    # ---- the forge ----

    def commit_state(self, sha: str) -> str:
        return self.forge.state(self.repo_name, sha, self.context)

    def commit_words(self, sha: str) -> str:
        mine = [s for s in self.forge.statuses(self.repo_name, sha)
                if s["context"] == self.context]
        return str(mine[0]["description"]) if mine else ""

    # ---- waiting ----

    def wait(self, check: Callable[[], T], what: str, seconds: float = 15) -> T:
        def alive() -> T:
            if self.agent and self.agent.process and not self.agent.alive():
                raise RuntimeError(f"the agent has ended with {self.agent.process.returncode}")
            return check()

        return wait_until(alive, seconds * PATIENCE, what, every=0.05)

    def synced(self, sha: str, seconds: float = 20) -> Json:
        """Wait until this commit is what is applied, and healthy; the status."""
        def look() -> Json | None:
            s = self.status()
            ready = any(c["type"] == "Ready" and c["status"] == "True"
                        for c in s.get("conditions", []))
            at = s.get("sync", {})
            if ready and at.get("status") == "Synced" and at.get("revision") == sha:
                return s
            raise LookupError(json.dumps({k: s.get(k) for k in ("sync", "health", "conditions")}))

        return self.wait(look, f"{sha[:8]} to be synced", seconds)

    def refused(self, sha: str, reason: str, seconds: float = 15) -> str:
        """Wait until Ready is False for this reason at this commit; the message."""
        def look() -> str | None:
            s, c = self.status(), self.condition("Ready")
            if s.get("sync", {}).get("revision") == sha and c.get("reason") == reason:
                return str(c["message"])
            raise LookupError(f"{s.get('sync')} {c}")

        return self.wait(look, f"{sha[:8]} to be refused: {reason}", seconds)

    def heals(self, name: str, value: str = "1") -> None:
        """Edit by hand: it must come back."""
        self.edit(name)
        self.wait(lambda: self.value(name) == value, f"ConfigMap {name} to be repaired", 10)


def clean_env() -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("MODELSYNC_") and k not in ("KUBECONFIG", "NO_COLOR")}
    return {**kept, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:color=never",
            "UBSAN_OPTIONS": "print_stacktrace=1:color=never", "HOME": "/nonexistent"}


class Proxy:
    """TCP on a port of its own to somewhere else, which can be made to hang or to refuse."""

    def __init__(self, port: int) -> None:
        self.port, self._to = free_ports(1)[0], port
        self._hang = False
        self._listener: socket.socket | None = None
        self._pairs: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self._hang = False
        if self._listener is None:
            listener = self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def hang(self) -> None:
        """Connections stay and are accepted; nothing goes through any more."""
        self._hang = True

    def close(self) -> None:
        """Connections are cut, new ones refused."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for sock in self._pairs:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._pairs = []

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                near.close()
                continue
            self._pairs += [near, far]
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, contextlib.suppress(OSError, ValueError):
            while True:
                if self._hang:
                    time.sleep(0.05)
                    continue
                for sock in select.select([near, far], [], [], 0.2)[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    if self._hang:
                        time.sleep(0.05)
                    (far if sock is near else near).sendall(data)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def kubeconfig_through(kubeconfig: Path, port: int, folder: Path) -> Path:
    """The same credentials, another port."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / f"kubeconfig-{port}"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path
