"""One instance: its settings, its certificates, its processes, and the order they start in.

Without a node everything listens on loopback and needs no root; pods stay Pending. With a node
(node.py) everything runs in a network namespace of its own, reached over a veth.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import node
from bedlib import golang
from bedlib.common import (
    Failure,
    Progress,
    await_true,
    check_name,
    free_ports,
    locked,
    port_is_free,
    read_json,
    state_root,
    write_private,
)
from bedlib.pki import Authority
from bedlib.proc import Proc

HERE = Path(__file__).resolve().parent
CONTROL_PLANE = ["etcd", "apiserver", "controller-manager", "scheduler"]
NODE = ["containerd", "kube-proxy", "kubelet"]
# What listens, and on which port where the address is the instance's own.
PORTS = {"apiserver": 6443, "etcd": 2379, "etcd-peer": 2380, "controller-manager": 10257,
         "scheduler": 10259}
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
# One line when a request ends; a watch also has one when its stream begins (same auditID).
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def build() -> Path:
    """The program, built if this version of it is not in the cache."""
    flags = _ldflags()
    inputs = [(HERE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]

    def make(go: str, env: dict[str, str], folder: Path) -> None:
        golang.go_build(go, env, HERE, ["-ldflags", flags, "-o", str(folder / "testkube")],
                        "Kubernetes")

    return golang.cached_build("testkube", [*inputs, flags.encode()], make) / "testkube"


def _ldflags() -> str:
    """Tell the program its version, as the upstream build does: discovery and kubectl show it."""
    words = (HERE / "go.mod").read_text().split()
    version = words[words.index("k8s.io/kubernetes") + 1]
    facts = {"gitVersion": version, "gitMajor": "1", "gitMinor": version.split(".")[1],
             "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return "-s -w " + " ".join(f"-X {p}.{k}={v}" for p in packages for k, v in facts.items())


@dataclass
class Settings:
    """What an instance was made with, kept in its instance.json so that a restart is the same."""

    node: bool = False
    slot: int = 0                  # node only: which block of addresses
    ports: dict[str, int] = field(default_factory=dict)
    fsync: bool = False
    audit: bool = False
    feature_gates: str = ""
    apiserver_flags: list[str] = field(default_factory=list)
    kubelet_config: dict[str, Any] = field(default_factory=dict)


class Instance:
    def __init__(self, name: str) -> None:
        self.name = check_name(name)
        self.dir = clusters() / name
        known = {f.name for f in fields(Settings)}
        saved = read_json(self.dir / "instance.json")
        self.exists = saved is not None
        self.set = Settings(**{k: v for k, v in (saved or {}).items() if k in known})

    # ---- where things are ------------------------------------------------------------------

    @property
    def address(self) -> str:
        return node.Net(self.set.slot).gateway if self.set.node else "127.0.0.1"

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.set.ports['apiserver']}"

    @property
    def service_range(self) -> str:
        # without a node nothing routes to a service: any range does
        return node.Net(self.set.slot).services if self.set.node else "10.96.0.0/16"

    @property
    def audit_log(self) -> Path:
        return self.dir / "log" / "audit.jsonl"

    @property
    def binary(self) -> Path:
        return self.dir / "testkube"

    def components(self) -> list[str]:
        return CONTROL_PLANE + (NODE if self.set.node else [])

    def proc(self, component: str) -> Proc:
        if component not in self.components():
            raise Failure(f"{component!r} is no component of {self.name}: want one of "
                          + ", ".join(self.components()))
        return Proc(self.dir, component)

    def running(self) -> list[str]:
        return [c for c in self.components() if self.proc(c).pid()]

    def kubeconfig(self, user: str = "admin", groups: list[str] | None = None) -> Path:
        """The kubeconfig of `user`, made with a certificate of its own when it is new."""
        path = self.dir / f"{user}.kubeconfig"
        if not path.exists():
            self._write_kubeconfig(path, user, user, groups or [])
        return path

    def save(self) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)
        write_private(self.dir / "instance.json", json.dumps(asdict(self.set), indent=1) + "\n")
        self.exists = True

    # ---- starting --------------------------------------------------------------------------

    def start(self) -> None:
        """Bring up whatever is not running. On any failure of a first start, nothing stays."""
        fresh = not self.exists
        binary = build()
        try:
            with locked(clusters() / ".lock-addresses"):    # choose, and be seen to have chosen
                if self.set.node:
                    node.check_host(self.dir)
                    if fresh:
                        self.set.slot = node.free_slot(
                            {i.set.slot for i in all_instances() if i.set.node})
                    node.network_up(self.dir, self.set.slot)
                    node.make_cgroups(self.set.slot)
                self._choose_ports()
                self.save()
            if self.binary.is_symlink() and not self.running():
                self.binary.unlink()
            if not self.binary.is_symlink():
                self.binary.symlink_to(binary)
            self._certificates()
            self._start_control_plane()
            if self.set.node:
                self._start_node()
        except BaseException:
            with Progress(f"cleaning up after the failed start of {self.name}"):
                self.stop(clean=fresh)
            raise

    def _choose_ports(self) -> None:
        if self.set.node:
            self.set.ports = dict(PORTS)                    # a network of its own: all are free
        elif not self.set.ports:
            self.set.ports = dict(zip(PORTS, free_ports(len(PORTS), {
                p for i in all_instances() for p in i.set.ports.values()}), strict=True))
        elif not self.running():
            taken = [str(p) for p in self.set.ports.values() if not port_is_free(p)]
            if taken:
                raise Failure(f"{self.name} was stopped and its port {', '.join(taken)} has been "
                              f"taken since: `stop {self.name} --clean` and start afresh")

    def _start_control_plane(self) -> None:
        with Progress(f"cluster {self.name}: starting the control plane") as progress:
            for component in ("etcd", "apiserver"):
                progress.detail = component
                self.start_component(component)
            progress.detail = "controller-manager, scheduler"
            for component in ("controller-manager", "scheduler"):
                self.start_component(component, wait=False)
            for component in ("controller-manager", "scheduler"):
                self._await(component)
            progress.detail = "first objects"
            self._first_objects()

    def _start_node(self) -> None:
        with Progress(f"cluster {self.name}: starting the node") as progress:
            progress.detail = "containerd"
            node.write_files(self.dir, self.set.slot, self.set.feature_gates,
                             self.set.kubelet_config)
            self.start_component("containerd")
            node.import_image(self.dir, node.busybox_image(self.dir))
            progress.detail = "kube-proxy, kubelet"
            self.start_component("kube-proxy", wait=False)
            self.start_component("kubelet")
            self._await("kube-proxy")

    def start_component(self, component: str, wait: bool = True) -> None:
        """Start one component if it does not run; with `wait`, return when it is ready."""
        proc = self.proc(component)
        if not proc.pid():
            argv = [str(self.binary), *self._argv(component)]
            if component == "containerd":
                argv = ["containerd", "-c", str(self.dir / "node" / "config.toml")]
            enter = node.enter(self.set.slot) if self.set.node else []
            proc.start([*enter, *argv])
        if wait:
            self._await(component)

    def _await(self, component: str) -> None:
        ready = {
            "etcd": lambda: self.set.node or self._connects("etcd"),
            "apiserver": lambda: self.api("GET", "/readyz")[0] == 200,
            "controller-manager": lambda: self._healthy("controller-manager"),
            "scheduler": lambda: self._healthy("scheduler"),
            "containerd": lambda: node.containerd_ready(self.dir),
            "kube-proxy": lambda: node.proxy_ready(self.address),
            "kubelet": self._node_ready,
        }[component]
        self.proc(component).await_ready(ready, 120)

    def _connects(self, component: str) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex((self.address, self.set.ports[component])) == 0

    def _healthy(self, component: str) -> bool:
        # a self-made certificate of the component's own: nothing to verify it against
        context = ssl._create_unverified_context()
        try:
            conn = http.client.HTTPSConnection(self.address, self.set.ports[component],
                                               timeout=5, context=context)
            conn.request("GET", "/healthz")
            return conn.getresponse().status == 200
        except OSError:
            return False

    def _node_ready(self) -> bool:
        status, answer = self.api("GET", f"/api/v1/nodes/{node.NAME}")
        conditions = answer.get("status", {}).get("conditions", []) if status == 200 else []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _first_objects(self) -> None:
        """The default ServiceAccount (without it no pod is admitted) and what `bench` may do."""
        self.proc("controller-manager").await_ready(
            lambda: self.api("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200,
            60)
        rbac = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        if self.api("GET", f"{rbac}/bench")[0] == 404:
            group = "rbac.authorization.k8s.io"
            self.api("POST", rbac, {
                "metadata": {"name": "bench"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "bench"}],
            })

    def _argv(self, component: str) -> list[str]:
        """Flags, as lists: nothing passes through a shell."""
        pki, ports, address = self.dir / "pki", self.set.ports, self.address
        etcd = f"http://127.0.0.1:{ports['etcd']}"
        gates = [f"--feature-gates={self.set.feature_gates}"] if self.set.feature_gates else []
        match component:
            case "etcd":
                peer = f"http://127.0.0.1:{ports['etcd-peer']}"
                return ["etcd", f"--data-dir={self.dir / 'etcd'}", "--log-level=warn",
                        f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                        f"--initial-cluster=default={peer}",
                        *([] if self.set.fsync else ["--unsafe-no-fsync"])]
            case "apiserver":
                return ["kube-apiserver", f"--etcd-servers={etcd}",
                        f"--bind-address={address}", f"--secure-port={ports['apiserver']}",
                        # may not be loopback; used only where there is a node
                        f"--advertise-address={address if self.set.node else '192.0.2.1'}",
                        "--endpoint-reconciler-type=" + ("lease" if self.set.node else "none"),
                        f"--service-cluster-ip-range={self.service_range}",
                        f"--tls-cert-file={pki}/apiserver.crt",
                        f"--tls-private-key-file={pki}/apiserver.key",
                        f"--client-ca-file={pki}/ca.crt",
                        f"--kubelet-certificate-authority={pki}/ca.crt",
                        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
                        f"--kubelet-client-key={pki}/kubelet-client.key",
                        "--kubelet-preferred-address-types=InternalIP",
                        "--service-account-issuer=https://kubernetes.default.svc",
                        f"--service-account-key-file={pki}/sa.pub",
                        f"--service-account-signing-key-file={pki}/sa.key",
                        "--authorization-mode=Node,RBAC", "--allow-privileged=true",
                        "--enable-admission-plugins=NodeRestriction",
                        # else a stop waits a minute for watches that don't end by themselves
                        "--shutdown-watch-termination-grace-period=1s",
                        *self._audit_flags(), *gates, *self.set.apiserver_flags]
            case "controller-manager":
                return ["kube-controller-manager", f"--kubeconfig={pki}/controller-manager.conf",
                        f"--bind-address={address}", f"--secure-port={ports[component]}",
                        f"--cert-dir={self.dir / 'certs'}", "--leader-elect=false",
                        "--use-service-account-credentials=true",
                        f"--service-account-private-key-file={pki}/sa.key",
                        f"--root-ca-file={pki}/ca.crt",
                        f"--flex-volume-plugin-dir={self.dir / 'volume-plugins'}",
                        f"--cluster-signing-cert-file={pki}/ca.crt",
                        f"--cluster-signing-key-file={pki}/ca.key", *gates]
            case "scheduler":
                return ["kube-scheduler", f"--kubeconfig={pki}/scheduler.conf",
                        f"--bind-address={address}", f"--secure-port={ports[component]}",
                        f"--cert-dir={self.dir / 'certs'}", "--leader-elect=false", *gates]
            case "kubelet":
                return ["kubelet", f"--config={self.dir}/node/kubelet.yaml",
                        f"--kubeconfig={pki}/kubelet.conf", f"--hostname-override={node.NAME}",
                        f"--node-ip={address}", f"--root-dir={self.dir}/node/kubelet",
                        f"--cert-dir={self.dir / 'certs'}", *gates]
            case "kube-proxy":
                return ["kube-proxy", f"--config={self.dir}/node/proxy.yaml"]
        return []

    def _audit_flags(self) -> list[str]:
        if not self.set.audit:
            return []
        policy = self.dir / "audit-policy.yaml"
        policy.write_text(AUDIT_POLICY)
        # one file, never rotated: tests remember an offset into it
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}",
                "--audit-log-maxsize=100000"]

    # ---- certificates ----------------------------------------------------------------------

    def _certificates(self) -> None:
        pki = self.dir / "pki"
        if (pki / "sa.pub").exists():       # the last one to be made
            return
        with Progress(f"cluster {self.name}: certificates"):
            ca = Authority(pki, f"testbed-{self.name}")
            cluster_ip = node.first_address(self.service_range)
            ca.server("apiserver", "/CN=kube-apiserver", [
                "IP:127.0.0.1", f"IP:{self.address}", f"IP:{cluster_ip}", "DNS:localhost",
                "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
                "DNS:kubernetes.default.svc.cluster.local"])
            users = {"controller-manager": "system:kube-controller-manager",
                     "scheduler": "system:kube-scheduler"}
            if self.set.node:
                users["proxy"] = "system:kube-proxy"
                node_user, node_group = f"system:node:{node.NAME}", "system:nodes"
                ca.server("kubelet-server", f"/O={node_group}/CN={node_user}",
                          [f"IP:{self.address}", f"DNS:{node.NAME}"])
                self._write_kubeconfig(pki / "kubelet.conf", "kubelet", node_user, [node_group])
            ca.client("kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"])
            for name, user in users.items():
                self._write_kubeconfig(pki / f"{name}.conf", name, user, [])
            self.kubeconfig("admin", ["system:masters"])
            self.kubeconfig("bench")
            for argv in (["genrsa", "-out", f"{pki}/sa.key", "2048"],
                         ["rsa", "-in", f"{pki}/sa.key", "-pubout", "-out", f"{pki}/sa.pub"]):
                subprocess.run(["openssl", *argv], capture_output=True, check=True)

    def _write_kubeconfig(self, path: Path, name: str, user: str, groups: list[str]) -> None:
        """One file that holds all it needs, so that it may be copied."""
        ca = Authority(self.dir / "pki", f"testbed-{self.name}")
        cert, key = ca.client(name, user, groups)

        def data(file: Path) -> str:
            return base64.b64encode(file.read_bytes()).decode()

        context = f"testbed-{self.name}"
        write_private(path, json.dumps({        # JSON is YAML
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
            "clusters": [{"name": context, "cluster": {
                "server": self.url, "certificate-authority-data": data(ca.cert)}}],
            "users": [{"name": user, "user": {
                "client-certificate-data": data(cert), "client-key-data": data(key)}}],
        }, indent=1) + "\n")

    # ---- talking to it ---------------------------------------------------------------------

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """One request as admin: (status, answer), or (0, {}) if there was none."""
        pki = self.dir / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        try:
            conn = http.client.HTTPSConnection(self.address, self.set.ports["apiserver"],
                                               timeout=5, context=context)
            conn.request(method, path, None if body is None else json.dumps(body),
                         {"Content-Type": "application/json"})
            answer = conn.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return 0, {}
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else {}

    # ---- stopping --------------------------------------------------------------------------

    def stop(self, clean: bool = False) -> None:
        """End everything in order; with `clean`, remove the state too (and so don't be polite)."""
        for component in ("scheduler", "controller-manager"):
            self.proc(component).stop(kill=clean)
        if self.set.node:
            for component in ("kubelet", "kube-proxy"):
                self.proc(component).stop(kill=clean)
            node.stop_pods(self.dir, self.set.slot)
            self.proc("containerd").stop()
            node.clean_up(self.dir, self.set.slot)
        self.proc("apiserver").stop(kill=clean)
        self.proc("etcd").stop(kill=clean)
        if clean:
            shutil.rmtree(self.dir, ignore_errors=True)
            if self.dir.exists():
                raise Failure(f"could not remove all of {self.dir}")

    def signal(self, component: str, name: str) -> None:
        number = getattr(signal, f"SIG{name.removeprefix('SIG')}", None)
        if number is None:
            raise Failure(f"no signal is called {name!r}")
        if not self.proc(component).signal(number):
            raise Failure(f"{component} of {self.name} is not running")
        if number == signal.SIGKILL:
            await_true(lambda: self.proc(component).pid() is None, 5)


def clusters() -> Path:
    path = state_root() / "clusters"
    path.mkdir(exist_ok=True)
    return path


def all_instances() -> list[Instance]:
    return [Instance(p.parent.name) for p in sorted(clusters().glob("*/instance.json"))]


def lock_name(name: str) -> Path:
    """The lock file of one instance; outside its folder, which --clean removes."""
    return clusters() / f".lock-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
