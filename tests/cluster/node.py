"""The node: a network namespace, cgroups, containerd, and what has to be undone afterwards.

Everything of one instance runs in one network namespace. A bridge in it is the node's address,
the API server's address and the pods' gateway at once; a veth and two routes make pods and
services reachable from the host. Its default route leads nowhere, so nothing leaves the machine.

To the cluster, stopping an instance is a power cut: processes are killed, mounts removed, and on
the next start the kubelet makes its pods anew.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import image
from bedlib.common import Failure, await_true

NAME = "node1"
SLOTS = 16
CGROUP = Path("/sys/fs/cgroup")
BRIDGE = "ms0"
NEEDED = ("containerd", "runc", "ctr", "nft", "iptables", "conntrack", "ip", "nsenter", "busybox")


@dataclass(frozen=True)
class Net:
    """The addresses of one slot, out of the block set aside for benchmarks (198.18.0.0/15),
    which no office network, VPN or container engine uses."""

    slot: int

    @property
    def tag(self) -> str:
        """Names the network namespace, the host's end of the veth, and the cgroup."""
        return f"testbed{self.slot}"

    @property
    def pods(self) -> str:
        return f"198.18.{self.slot * 16}.0/24"

    @property
    def gateway(self) -> str:
        return first_address(self.pods)

    @property
    def host_end(self) -> str:
        return f"198.18.{self.slot * 16 + 1}.1"     # where pods find the host

    @property
    def node_end(self) -> str:
        return f"198.18.{self.slot * 16 + 1}.2"

    @property
    def services(self) -> str:
        return f"198.19.{self.slot * 16}.0/20"


def first_address(network: str) -> str:
    return str(ipaddress.ip_network(network)[1])


def enter(slot: int) -> list[str]:
    # not `ip netns exec`: that one hides the cgroup file systems
    return ["nsenter", f"--net=/run/netns/{Net(slot).tag}"]


def run(*argv: str | Path) -> str:
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, argv))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def cni_plugins() -> Path | None:
    return next((p for p in map(Path, ("/usr/lib/cni", "/opt/cni/bin"))
                 if (p / "bridge").exists()), None)


def check_host(directory: Path) -> None:
    if os.geteuid() != 0:
        raise Failure("a node needs root (network namespace, cgroups, containers); "
                      "without --node no root is needed")
    missing = [name for name in NEEDED if not shutil.which(name)]
    if not cni_plugins():
        missing.append("the CNI plugins")
    if missing:
        raise Failure(f"a node needs {', '.join(missing)}: run tests/deps.sh install")
    longest = directory / "node/kubelet/pod-resources/kubelet.sock"
    if len(str(longest)) > 100:     # the kernel allows 107, and temporary names are longer
        raise Failure(f"{longest} is too long for a socket: set TESTBED_DIR to a shorter path")


# ---- network ---------------------------------------------------------------------------------


def _owner(slot: int) -> str | None:
    """The instance folder that has this slot (kept as the veth's alias), "" if unknown."""
    done = subprocess.run(["ip", "-j", "link", "show", "dev", Net(slot).tag],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return "" if Path(f"/run/netns/{Net(slot).tag}").exists() else None
    return str(json.loads(done.stdout)[0].get("ifalias", ""))


def free_slot(reserved: set[int]) -> int:
    """The first slot that no instance has and no route of this machine overlaps."""
    routes = [ipaddress.ip_network(r["dst"], strict=False)
              for r in json.loads(run("ip", "-j", "-4", "route", "show") or "[]")
              if r["dst"] != "default"]
    for slot in range(SLOTS):
        ours = [ipaddress.ip_network(Net(slot).pods).supernet(new_prefix=20),
                ipaddress.ip_network(Net(slot).services)]
        # a wider route than the whole block (a VPN's) loses against ours and may stay
        clash = any(r.prefixlen >= 15 and r.overlaps(n) for r in routes for n in ours)
        if slot not in reserved and not clash and _owner(slot) is None:
            return slot
    raise Failure(f"all {SLOTS} address blocks of 198.18.0.0/15 are taken (see `ip route`)")


def network_up(directory: Path, slot: int) -> None:
    net, owner = Net(slot), _owner(slot)
    if owner == str(directory):
        return
    if owner is not None:
        raise Failure(f"addresses of slot {slot} are in use by {owner or 'somebody else'}")
    inside = enter(slot)
    # may be built in, or not ours to load: what is really missing shows below
    subprocess.run(["modprobe", "-a", "br_netfilter", "overlay", "veth", "bridge"],
                   capture_output=True, check=False) if shutil.which("modprobe") else None
    run("ip", "netns", "add", net.tag)
    run("ip", "link", "add", net.tag, "type", "veth", "peer", "name", "uplink", "netns", net.tag)
    run("ip", "link", "set", net.tag, "alias", directory)
    run("ip", "addr", "add", f"{net.host_end}/30", "dev", net.tag)
    run("ip", "link", "set", net.tag, "up")
    for line in (
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {net.gateway}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        f"addr add {net.node_end}/30 dev uplink",
        "link set uplink up",
        # programs want a default route; packets must not leave
        f"route add default dev {BRIDGE}",
    ):
        run(*inside, "ip", *line.split())
    for network in (net.pods, net.services):
        run("ip", "route", "add", network, "via", net.node_end)
    # bridged packets must pass the service rules: pod to service to a pod on the same bridge
    run(*inside, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward;"
        "f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo 1 >$f")


# ---- cgroups ---------------------------------------------------------------------------------


def _unified() -> bool:
    return (CGROUP / "cgroup.controllers").exists()


def _cgroups(slot: int) -> list[Path]:
    """Our cgroup in each hierarchy; version 2 has one."""
    if _unified():
        return [CGROUP / Net(slot).tag]
    # named links (cpu -> cpu,cpuacct) lead to the same hierarchy
    roots = {p.resolve() for p in CGROUP.iterdir() if (p / "cgroup.procs").exists()}
    return [root / Net(slot).tag for root in sorted(roots)]


def make_cgroups(slot: int) -> None:
    if _unified():
        # the kubelet asks for every controller of the root in its own cgroup
        for controller in (CGROUP / "cgroup.controllers").read_text().split():
            if controller in ("cpu", "cpuset", "memory", "pids", "hugetlb", "io"):
                try:
                    (CGROUP / "cgroup.subtree_control").write_text(f"+{controller}")
                except OSError as error:
                    raise Failure(f"cgroup v2 controller {controller} can't be enabled for "
                                  f"children ({error.strerror}): in a container, its processes "
                                  f"must first be moved to a cgroup below the top one") from error
    for path in _cgroups(slot):
        path.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            # version 1 only: a new cpuset is empty, and nothing may enter it
            if not _unified() and (path / name).exists():
                (path / name).write_text((path.parent / name).read_text())


def _pids(slot: int) -> set[int]:
    found: set[int] = set()
    for top in _cgroups(slot):
        for procs in top.rglob("cgroup.procs") if top.exists() else ():
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in procs.read_text().split())
    return found


def _remove_cgroups(slot: int) -> None:
    for top in _cgroups(slot):
        if top.exists():
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


# ---- files -----------------------------------------------------------------------------------


def _snapshotter(directory: Path) -> str:
    """overlayfs, unless the state itself lies on an overlay, which can't carry another."""
    kind = run("stat", "-f", "-c", "%T", directory).strip()
    return "native" if kind == "overlayfs" else "overlayfs"


def write_files(directory: Path, slot: int, gates: str, kubelet_extra: dict[str, Any]) -> None:
    net, pki, home = Net(slot), directory / "pki", directory / "node"
    (home / "cni").mkdir(parents=True, exist_ok=True)

    def put(name: str, value: dict[str, Any]) -> None:
        (home / name).write_text(json.dumps(value, indent=1) + "\n")

    feature_gates = {k: v.lower() == "true" for k, _, v in
                     (gate.partition("=") for gate in gates.split(",") if gate)}
    put("kubelet.yaml", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": net.gateway, "readOnlyPort": 0,
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{home}/containerd.sock",
        "podLogsDir": f"{home}/logs", "volumePluginDir": f"{home}/volume-plugins",
        "failCgroupV1": False, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{net.tag}",
        "cgroupsPerQOS": True, "enforceNodeAllocatable": [], "failSwapOn": False,
        "resolvConf": "",
        # the disk of a developer's machine is often fuller than a kubelet likes
        "evictionHard": {"imagefs.available": "0%", "memory.available": "1Mi",
                         "nodefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        **kubelet_extra,
    })
    put("proxy.yaml", {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "nftables", "hostnameOverride": NAME, "bindAddress": net.gateway,
        "healthzBindAddress": f"{net.gateway}:10256", "metricsBindAddress": "127.0.0.1:10249",
        "clusterCIDR": net.pods, "clientConnection": {"kubeconfig": f"{pki}/proxy.conf"},
        "featureGates": feature_gates,
        # these are settings of the whole machine: 0 leaves them alone
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                      "tcpCloseWaitTimeout": "0s"},
    })
    put("cni/10-bridge.conflist", {
        "cniVersion": "0.4.0", "name": net.tag, "plugins": [
            {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True,
             "ipMasq": False, "ipam": {
                 "type": "host-local", "dataDir": f"{home}/ipam",
                 "ranges": [[{"subnet": net.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]})
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    (home / "config.toml").write_text(f"""\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{home}/containerd.sock"
[{cri}]
  sandbox_image = "{image.BUSYBOX}"
  stream_server_address = "127.0.0.1"
  restrict_oom_score_adj = true         # works inside a container, too
  disable_apparmor = true               # would load a profile into the host's kernel
  netns_mounts_under_state_dir = true   # and not in /run/netns
  enable_unprivileged_ports = true      # as containerd 2 does
[{cri}.containerd]
  snapshotter = "{_snapshotter(directory)}"
  default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
  Root = "{home}/runc"
  SystemdCgroup = false
[{cri}.cni]
  bin_dir = "{cni_plugins()}"
  conf_dir = "{home}/cni"
""")


# ---- containerd ------------------------------------------------------------------------------


def ctr(directory: Path, *args: str | Path) -> list[str]:
    return ["ctr", "-a", f"{directory}/node/containerd.sock", "-n", "k8s.io", *map(str, args)]


def containerd_ready(directory: Path) -> bool:
    return subprocess.run(ctr(directory, "version"), capture_output=True, check=False
                          ).returncode == 0


def proxy_ready(address: str) -> bool:
    try:
        conn = http.client.HTTPConnection(address, 10256, timeout=5)
        conn.request("GET", "/healthz")
        return conn.getresponse().status == 200
    except OSError:
        return False


def busybox_image(directory: Path) -> Path:
    archive = directory / "node" / "busybox.tar"
    if not archive.exists():
        image.write_busybox(Path(shutil.which("busybox") or "busybox"), archive)
    return archive


def import_image(directory: Path, archive: Path) -> None:
    run(*ctr(directory, "images", "import", archive))


# ---- taking it down --------------------------------------------------------------------------


def _shims(directory: Path) -> list[int]:
    """containerd's per-pod helpers, known by our socket's path among their arguments."""
    mine = f"{directory}/node/containerd.sock".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                argv = (entry / "cmdline").read_bytes().split(b"\0")
                if b"shim" in argv[0] and mine in argv:
                    found.append(int(entry.name))
    return found


def _kill(pids: set[int] | list[int]) -> bool:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not pids


def stop_pods(directory: Path, slot: int) -> None:
    """Kill all that runs in our cgroups; containerd, still up, notes the ends."""
    if (directory / "node").exists() and not await_true(lambda: _kill(_pids(slot)), 15):
        raise Failure(f"pods of {directory.name} can't be killed: {sorted(_pids(slot))}")


def clean_up(directory: Path, slot: int) -> None:
    """After containerd has ended: helpers, mounts, network, cgroups, and traces elsewhere."""
    home = directory / "node"
    if os.geteuid() != 0 or not home.exists() and _owner(slot) != str(directory):
        return
    await_true(lambda: _kill(_shims(directory)), 10)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    for address in home.glob("state/io.containerd.runtime.v2.task/k8s.io/*/address"):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)
    # what a reboot would have emptied
    for name in ("state", "runc", "ipam"):
        shutil.rmtree(home / name, ignore_errors=True)
    if _owner(slot) == str(directory):
        run("ip", "link", "del", Net(slot).tag)
        run("ip", "netns", "del", Net(slot).tag)
    _remove_cgroups(slot)
    _clean_elsewhere(directory)


def _clean_elsewhere(directory: Path) -> None:
    """The few places whose paths are fixed in kubelet, CNI and containerd."""
    for result in Path("/var/lib/cni/results").glob("*"):
        with contextlib.suppress(OSError):
            if f"{directory}/" in result.read_text():       # names the pod's network namespace
                result.unlink()
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and os.readlink(link).startswith(f"{directory}/"):
            link.unlink(missing_ok=True)
    device_plugins = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
    if device_plugins.exists() and not _listens(device_plugins):
        device_plugins.unlink(missing_ok=True)
    netns = Path("/run/netns")
    if netns.exists() and not any(netns.iterdir()):
        # `ip netns add` mounted it; with nothing in it nobody misses it
        subprocess.run(["umount", netns], capture_output=True, check=False)
    for folder in ("/var/lib/cni/results", "/var/lib/cni", "/var/log/containers", netns,
                   "/var/lib/kubelet/device-plugins", "/var/lib/kubelet",
                   "/run/containerd/s", "/run/containerd"):
        with contextlib.suppress(OSError):      # only if nothing of anybody's is in it
            os.rmdir(folder)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0
