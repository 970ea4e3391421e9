"""The test bed itself: if one of these fails, no other end-to-end failure means anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import (
    Agent,
    Cluster,
    CommandFailed,
    Forge,
    HangingServer,
    HttpError,
    Repo,
    Signer,
    bare_repository,
    git_env,
    parse_logfmt,
    run,
    wait_until,
)
from bedlib.common import locked, state_root


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """For one test at a time, also with several workers: they take down what they share."""
    with locked(state_root() / "test_bed.lock"):
        yield Cluster.start("bed", audit=True)


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge.start("bed")


def config_map(namespace: str, name: str, value: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name,
            "namespace": namespace}, "data": {"k": value}}


def test_cluster_objects_and_rights(cluster: Cluster) -> None:
    namespace = cluster.new_namespace()
    cluster.apply(config_map(namespace, "a", "1"))
    seen = cluster.get_json("configmap", "a", "-n", namespace)
    assert seen["data"] == {"k": "1"}
    assert seen["metadata"]["managedFields"][0]["operation"] == "Apply"
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert cluster.get(f"{path}/a")["data"] == {"k": "1"}
    assert cluster.get(f"{path}/b") is None

    bench, eve = cluster.kubeconfig_for("bench"), cluster.kubeconfig_for("eve", ["dev"])
    assert "a" in cluster.kubectl("get", "cm", "-n", namespace, kubeconfig=bench)
    with pytest.raises(CommandFailed, match="forbidden"):
        cluster.kubectl("get", "cm", "-n", namespace, kubeconfig=eve)
    assert cluster.kubectl("auth", "whoami", kubeconfig=eve).count("dev") == 1


def test_cluster_requests_are_counted(cluster: Cluster) -> None:
    namespace = cluster.new_namespace()
    mark = cluster.audit_mark()
    bench = cluster.kubeconfig_for("bench")
    for i in range(3):
        cluster.kubectl("create", "configmap", f"c{i}", "-n", namespace, kubeconfig=bench)

    def creates() -> list[dict[str, object]]:
        return [r for r in cluster.requests(mark, agent="kubectl/", user="bench")
                if r["verb"] == "create"]
    assert wait_until(lambda: len(creates()) == 3, 5, "three creates in the audit log")
    assert not cluster.requests(mark, user="nobody-of-this-name")


def test_apiserver_down_and_back_with_the_same_data(cluster: Cluster) -> None:
    namespace = cluster.new_namespace()
    cluster.apply(config_map(namespace, "kept", "1"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/kept"
    cluster.stop_component("apiserver", kill=True)
    try:
        with pytest.raises(ConnectionRefusedError):
            cluster.get(path)
    finally:
        cluster.start_component("apiserver")
    assert cluster.get(path)["data"] == {"k": "1"}


def test_two_clusters_side_by_side_share_nothing(cluster: Cluster) -> None:
    other = Cluster.start("bed2")
    try:
        namespace = other.new_namespace()
        assert other.get(f"/api/v1/namespaces/{namespace}") is not None
        assert cluster.get(f"/api/v1/namespaces/{namespace}") is None
    finally:
        other.stop(clean=True)
    with pytest.raises(OSError):
        other.api("GET", "/readyz")


@pytest.mark.skipif(os.geteuid() != 0, reason="a node needs root")
def test_node_runs_a_pod_to_its_end() -> None:
    cluster = Cluster.start("bednode", node=True)
    try:
        cluster.apply("""\
apiVersion: v1
kind: Pod
metadata: {name: once, namespace: default}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: docker.io/local/busybox:1
    imagePullPolicy: Never
    command: [sh, -c, "echo to the log; printf why >/dev/termination-log; exit 3"]
""")

        def ended() -> dict[str, object]:
            pod = cluster.get("/api/v1/namespaces/default/pods/once")
            return pod["status"]["containerStatuses"][0]["state"]["terminated"]

        end = wait_until(ended, 30, "the pod to end")
        assert (end["exitCode"], end["message"]) == (3, "why")
        assert cluster.kubectl("logs", "once") == "to the log\n"
    finally:
        cluster.stop(clean=True)
    assert "clusters/bednode" not in Path("/proc/mounts").read_text()
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert "clusters/bednode" not in links      # the alias of our veth


@pytest.mark.parametrize("ssh", [False, True], ids=["http", "ssh"])
def test_signed_commit_is_pushed_and_gets_a_status(forge: Forge, tmp_path: Path, ssh: bool) -> None:
    name = forge.create_repo("bed", f"r{os.urandom(4).hex()}")
    alice = Signer("alice", tmp_path)
    if ssh:
        forge.add_ssh_key(alice.public_key)
    repo = Repo.clone(forge, name, tmp_path / "tree", alice, ssh=ssh)
    repo.write("app/a.yaml", "a: 1\n")
    sha = repo.commit("first")
    repo.push()
    assert forge.api("GET", f"/repos/{name}/branches/main")["commit"]["id"] == sha

    (tmp_path / "allowed").write_text(alice.allowed_signers())
    verify = ["-c", f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}", "log", "--format=%G? %GS"]
    assert repo.git(*verify) == f"G {alice.email}"
    assert "SIGNATURE" not in repo.git("cat-file", "commit", repo.commit("no", sign=False))

    assert forge.state(name, sha) == ""
    forge.set_status(name, sha, "pending", "modelsync", "looking")
    forge.set_status(name, sha, "success", "modelsync", "3 applied")
    assert [s["status"] for s in forge.statuses(name, sha)] == ["success", "pending"]
    assert forge.state(name, sha, "modelsync") == "success"


def test_token_with_repository_scope_writes_statuses_only(forge: Forge, tmp_path: Path) -> None:
    name = forge.create_repo("bed", f"r{os.urandom(4).hex()}")
    repo = Repo.clone(forge, name, tmp_path / "tree", Signer("bob", tmp_path))
    sha = repo.commit("first")
    repo.push()
    token = forge.create_token("write:repository")
    forge.api("POST", f"/repos/{name}/statuses/{sha}", {"state": "success"}, token=token)
    with pytest.raises(HttpError) as refused:
        forge.api("POST", "/orgs", {"username": "more"}, token=token)
    assert refused.value.status == 403


def test_pull_request_merged_by_the_forge_is_signed_by_it(forge: Forge, tmp_path: Path) -> None:
    name = forge.create_repo("bed", f"r{os.urandom(4).hex()}")
    repo = Repo.clone(forge, name, tmp_path / "tree", Signer("carol", tmp_path))
    repo.commit("first")
    repo.push()
    repo.write("b", "2")
    repo.commit("second")
    repo.push("HEAD:refs/heads/change")
    merged = forge.merge_pull(name, forge.open_pull(name, "change", "a change"), "squash")
    repo.git("fetch", "--quiet")
    (tmp_path / "allowed").write_text(f"gitea@forge.test {forge.signing_key}\n")
    assert repo.git("-c", f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}", "log", "-1",
                    "--format=%G?", merged) == "G"


def test_https_forge_and_restart(tmp_path: Path) -> None:
    forge = Forge.start("bedtls", https=True)
    try:
        name = forge.create_repo("bed", "tls")
        forge.stop()
        with pytest.raises(OSError):
            forge.api("GET", "/version")
        forge.restart()
        repo = Repo.clone(forge, name, tmp_path / "tree", Signer("dan", tmp_path))
        repo.commit("first")
        repo.push()
    finally:
        forge.stop(clean=True)


def test_bare_repository_by_path_without_the_users_settings(tmp_path: Path) -> None:
    bare = bare_repository(tmp_path / "bare.git")
    repo = Repo.init(tmp_path / "tree", Signer("erin", tmp_path), bare)
    repo.write("x/y", "1")
    first = repo.commit("first", date=1700000000)
    repo.remove("x/y")
    repo.commit("second")
    repo.revert(repo.head())
    repo.push()
    assert run("git", "-C", bare, "rev-list", "--count", "main", env=git_env()).strip() == "3"
    assert repo.git("show", "-s", "--format=%ct %an", first) == "1700000000 erin"
    assert (repo.path / "x/y").exists()


def test_hanging_server_accepts_and_says_nothing() -> None:
    with HangingServer(b"HTTP/1.1 200") as server, \
            socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(0.3)
        assert client.recv(100) == b"HTTP/1.1 200"
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_wait_until_says_what_it_waited_for() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0.2 s for the moon; last seen: \[\]"):
        wait_until(lambda: [], 0.2, "the moon")
    with pytest.raises(TimeoutError, match="KeyError"):
        wait_until(lambda: {}["a"], 0.2, "the moon")


def test_agent_log_stop_and_kill(tmp_path: Path) -> None:
    line = 'level=info msg="it \\"runs\\"" n=1'
    script = f"import time; print({line!r}, flush=True); time.sleep(60)"
    agent = Agent([sys.executable, "-c", script], tmp_path / "log")
    with agent:
        assert agent.wait_line(5, n="1")["msg"] == 'it "runs"'
        assert agent.memory() > 1_000_000
        mark = agent.mark()
        assert agent.stop() == -15
        agent.start().wait_line(5, mark, level="info")
        agent.kill()
        assert not agent.alive()
        with pytest.raises(RuntimeError, match="has ended"):
            agent.wait_line(5, agent.mark(), n="2")


def test_parse_logfmt() -> None:
    assert parse_logfmt(r'a=1 b="x \"y\"\nz" c= noise d="" e=f=g') == {
        "a": "1", "b": 'x "y"\nz', "c": "", "d": "", "e": "f=g"}
