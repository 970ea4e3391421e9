"""What the demo plays on: a terminal, a cluster, a forge, the agent as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

from bed import Cluster, CommandFailed, Forge, HttpError, parse_logfmt, run  # noqa: E402
from bedlib.common import Failure, Progress, free_ports, read_json, state_root  # noqa: E402
from bedlib.proc import Proc  # noqa: E402

T = TypeVar("T")
Json = dict[str, Any]
REPO = TESTS.parent
BINARY = Path(os.environ.get("MODELSYNC_BIN") or REPO / "build" / "modelsync").resolve()
STATE = state_root() / "demo"
AGENT_NS, APP_NS = "modelsync-demo", "modelsync-demo-web"
GROUP = "/apis/modelsync.dev/v1alpha1"


class StepFailed(Exception):
    """A step did not happen; the text says what was awaited and what was seen."""


# ---- the terminal ----------------------------------------------------------------------------


class Screen:
    """Headings, lines with their times, and the table at the end. Colour only on a terminal."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.rows: list[tuple[str, str, str]] = []
        self.chapter = ""

    def paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def head(self, title: str) -> None:
        self.chapter = title
        print("\n" + self.paint("1", title), flush=True)

    def note(self, text: str) -> None:
        print("     " + self.paint("2", text), flush=True)

    def ok(self, what: str, took: float | None = None, row: bool = True) -> None:
        time_text = "" if took is None else took_text(took)
        print(f"  {self.paint('32', 'ok')} {what}"
              + (self.paint("2", f"  {time_text}") if time_text else ""), flush=True)
        if row:
            short = what if len(what) <= 72 else what[:71].rstrip() + "…"
            self.rows.append((self.chapter, short, time_text))

    def failed(self, what: str) -> None:
        print(f"  {self.paint('31', 'FAILED')} {what}", flush=True)

    def table(self) -> None:
        left = max(len(r[1]) for r in self.rows)
        chapter = ""
        for group, what, took in self.rows:
            if group != chapter:
                print(self.paint("1", f"  {group}"))
                chapter = group
            print(f"    {what:<{left}}  {took:>8}")
        sys.stdout.flush()


def took_text(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def until(check: Callable[[], T], what: str, seconds: float = 30, every: float = 0.05) -> T:
    """Wait for something true, with progress shown once it has taken two seconds."""
    end, last = time.monotonic() + seconds, ""
    with Progress(f"     waiting for {what}"):
        while True:
            try:
                value = check()
                if value:
                    return value
                last = f"seen: {value!r}"
            except (HttpError, OSError, LookupError) as error:
                last = f"{type(error).__name__}: {error}"
            if time.monotonic() > end:
                raise StepFailed(f"waited {seconds:g} s for {what}; {last[:500]}")
            time.sleep(every)


# ---- the cluster -----------------------------------------------------------------------------


class Api:
    """The API server through `kubectl proxy`, so that any kubeconfig does."""

    def __init__(self, cluster: Cluster) -> None:
        env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self._proxy = subprocess.Popen(
            [str(w) for w in (*cluster._kubectl, "proxy", "--port=0")], env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._proxy.stdout
        line = self._proxy.stdout.readline()
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not port:
            self.close()
            raise Failure(f"kubectl proxy does not start: {line.strip()}")
        self._conn = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=30)

    def close(self) -> None:
        self._proxy.terminate()
        self._proxy.wait()

    def call(self, method: str, path: str, body: Any = None, kind: str = "json") -> Json:
        self._conn.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": f"application/{kind}"})
        answer = self._conn.getresponse()
        text = answer.read().decode()
        if not 200 <= answer.status < 300:
            raise HttpError(f"{method} {path}", answer.status, text)
        return dict(json.loads(text)) if text.startswith("{") else {}

    def get(self, path: str) -> Json | None:
        try:
            return self.call("GET", path)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, *objects: Json) -> None:
        plurals = {"Namespace": "namespaces", "Secret": "secrets", "Application": "applications",
                   "TrustPolicy": "trustpolicies"}
        for o in objects:
            base = f"/apis/{o['apiVersion']}" if "/" in o["apiVersion"] else "/api/v1"
            space = o["metadata"].get("namespace")
            base += f"/namespaces/{space}" if space else ""
            self.call("PATCH", f"{base}/{plurals[o['kind']]}/{o['metadata']['name']}"
                      "?fieldManager=demo&force=true", o, "apply-patch+yaml")

    def edit(self, path: str, body: Json) -> None:
        self.call("PATCH", path + "?fieldManager=somebody", body, "merge-patch+json")

    def delete(self, path: str) -> None:
        try:
            self.call("DELETE", path)
        except HttpError as error:
            if error.status != 404:
                raise

    def has_nodes(self) -> bool:
        return bool(self.call("GET", "/api/v1/nodes")["items"])


# ---- the agent -------------------------------------------------------------------------------


class DemoAgent:
    """The agent, detached: it goes on after the demo, until demo-stop."""

    def __init__(self, kubeconfig: Path) -> None:
        self.proc = Proc(STATE, "agent")
        self.port = free_ports(1)[0]
        self.argv = [BINARY, "run", "--kubeconfig", kubeconfig, "--namespace", AGENT_NS,
                     "--listen", f"127.0.0.1:{self.port}", "--cache-dir", STATE / "cache",
                     "--poll-interval", "2s", "--allow-http-urls"]

    def start(self) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("MODELSYNC_")}
        self.proc.log.parent.mkdir(parents=True, exist_ok=True)
        self.proc.log.write_bytes(b"")
        self.proc.start(self.argv, env=env)

    def mark(self) -> int:
        return self.proc.log.stat().st_size

    def line(self, since: int, **fields: str) -> dict[str, str] | None:
        """The first whole log line after `since` with these fields."""
        with open(self.proc.log, "rb") as log:
            log.seek(since)
            text = log.read()
        for raw in text[:text.rfind(b"\n") + 1].decode(errors="replace").splitlines():
            found = parse_logfmt(raw)
            if all(found.get(k) == v for k, v in fields.items()):
                return found
        if self.proc.pid() is None:
            raise StepFailed("the agent has ended")
        return None

    def ask(self, path: str) -> tuple[int, str]:
        if self.proc.pid() is None:
            raise StepFailed("the agent has ended")
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        conn.request("GET", path)
        answer = conn.getresponse()
        return answer.status, answer.read().decode()

    def ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def repairs(self) -> tuple[float, float]:
        """How many, and the seconds they took together, as the agent counts them."""
        text = self.ask("/metrics")[1]
        found = [re.search(rf"^modelsync_repair_seconds_{part} (\S+)$", text, re.MULTILINE)
                 for part in ("count", "sum")]
        return tuple(float(m[1]) if m else 0.0 for m in found)  # type: ignore[return-value]


# ---- all of it -------------------------------------------------------------------------------


def load_state() -> Json:
    return read_json(STATE / "state.json") or {}


def save_state(**more: Any) -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / "state.json").write_text(json.dumps({**load_state(), **more}))


def cluster_for(kubeconfig: Path | None, node: bool) -> Cluster:
    if kubeconfig:
        if not kubeconfig.exists():
            raise Failure(f"there is no file {kubeconfig}")
        return Cluster.external(kubeconfig.resolve())
    name = "demo-node" if node else "demo"
    save_state(clusters=sorted({*load_state().get("clusters", []), name}))
    return Cluster.start(name, node=node)


def forge_for_demo() -> Forge:
    """With its looks where npm is there to build them once."""
    save_state(forge=True)
    if shutil.which("npm"):
        try:
            return Forge.start("demo", ui=True)
        except CommandFailed as error:
            print(f"     the forge's pages stay without style: {error.output.strip()[-200:]}")
    return Forge.start("demo")


def install_crds(api: Api, kubeconfig: Path) -> str:
    """By the program under show; remembers whether they were there before."""
    had = api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
                  "/applications.modelsync.dev") is not None
    if not had:
        save_state(crds_ours=True)
    return run(BINARY, "install", "--crds-only", "--kubeconfig", kubeconfig)


def clean_cluster(api: Api, wait: bool = True) -> None:
    """The demo's namespaces go, with all that is in them."""
    for name in (AGENT_NS, APP_NS):
        api.delete(f"/api/v1/namespaces/{name}")
    if wait:
        for name in (AGENT_NS, APP_NS):
            until(lambda name=name: api.get(f"/api/v1/namespaces/{name}") is None,
                  f"namespace {name} of the last run to be gone", 120, 0.2)


def clean_users_cluster(kubeconfig: Path, crds: bool) -> None:
    api = Api(Cluster.external(kubeconfig))
    try:
        clean_cluster(api)
        for name in ("applications", "trustpolicies", "syncstates") if crds else ():
            api.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
                       f"/{name}.modelsync.dev")
    finally:
        api.close()


def stop_all() -> None:
    """Everything that the demo started, and what it left in the user's cluster."""
    state = load_state()
    if not state:
        print("no demo is running")
        return
    Proc(STATE, "agent").stop()
    if state.get("kubeconfig"):
        try:
            clean_users_cluster(Path(state["kubeconfig"]), bool(state.get("crds_ours")))
        except (Failure, StepFailed, HttpError, OSError) as error:
            print(f"the cluster of {state['kubeconfig']} can't be cleaned: {error}\n"
                  f"what stays there: namespaces {AGENT_NS} and {APP_NS}")
    for name in state.get("clusters", []):
        subprocess.run([TESTS / "cluster" / "cluster", "stop", name, "--clean"], check=False)
    if state.get("forge"):
        subprocess.run([TESTS / "forge" / "forge", "stop", "demo", "--clean"], check=False)
    shutil.rmtree(STATE, ignore_errors=True)
    print("the demo is stopped, and nothing of it is left")


def give_up(text: str) -> NoReturn:
    raise StepFailed(text)
