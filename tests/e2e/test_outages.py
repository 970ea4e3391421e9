"""What is down comes back, and the end is as if it had never been away."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import Cluster, Forge, HangingServer
from manifests import config_map, install_crds, repository, secret, text
from world import Proxy, World, kubeconfig_through


def port_of(url: str) -> int:
    found = urllib.parse.urlsplit(url).port
    assert found
    return found


@pytest.fixture
def api_proxy(world: World) -> Iterator[Proxy]:
    with Proxy(port_of(world.cluster.url)) as proxy:
        yield proxy


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_api_server_out_of_reach_and_back(world: World, api_proxy: Proxy, how: str) -> None:
    world.use_folder()
    world.start(kubeconfig=kubeconfig_through(world.kubeconfig, api_proxy.port, world.folder))
    world.synced(world.push_maps("a", "b", "c"))
    api_proxy.close() if how == "refuses" else api_proxy.hang()
    # meanwhile: drift of each sort, and a commit
    world.edit("a")
    world.delete("b")
    sha = world.push({"app/d.yaml": text(config_map("d", k="1"))}, remove=["app/c.yaml"])
    time.sleep(2)
    assert world.names() == ["a", "c"]
    if how == "hangs":
        api_proxy.close()       # what hung for long is cut, as by any network
    api_proxy.open()
    world.synced(sha, 60)
    world.wait(lambda: world.names() == ["a", "b", "d"] and world.value("a") == "1",
               "what drifted meanwhile to be healed")
    world.heals("a")


def test_agent_starts_before_its_api_server(world: World, api_proxy: Proxy) -> None:
    world.use_folder()
    api_proxy.close()
    world.start(kubeconfig=kubeconfig_through(world.kubeconfig, api_proxy.port, world.folder))
    world.wait(lambda: world.http("/readyz")[0] == 503, "the agent to answer that it is not ready")
    assert world.http("/healthz")[0] == 200
    sha = world.push_maps("a")
    api_proxy.open()
    world.synced(sha, 45)


def test_api_server_cut_at_random_moments(world: World, api_proxy: Proxy) -> None:
    """Connections drop in the middle of syncs; every commit arrives all the same."""
    world.use_folder()
    world.start(kubeconfig=kubeconfig_through(world.kubeconfig, api_proxy.port, world.folder))
    names = [f"m{i}" for i in range(40)]
    for round_ in range(4):
        sha = world.push_maps(**dict.fromkeys(names, str(round_)))
        for _ in range(3):
            time.sleep(0.25)
            api_proxy.close()
            api_proxy.open()
        world.synced(sha, 60)
        assert {world.value(n) for n in names[:5]} == {str(round_)}


def test_api_server_stopped_for_real(forge: Forge, tmp_path: Path) -> None:
    cluster = Cluster.start("e2e-out", audit=True)
    install_crds(cluster)
    world = World(cluster, forge, tmp_path)
    try:
        world.use_folder()
        world.start()
        world.synced(world.push_maps("a", "b"))
        cluster.stop_component("apiserver", kill=True)
        sha = world.push_maps(b="2", c="1")
        time.sleep(1)
        cluster.start_component("apiserver")
        world.delete("a")
        world.synced(sha, 60)
        world.wait(lambda: world.names() == ["a", "b", "c"] and world.value("b") == "2",
                   "what was deleted meanwhile to be healed")
        world.heals("a")
    finally:
        world.close()
        cluster.stop()


def test_forge_api_down_while_syncing_then_told_once(world: World) -> None:
    with Proxy(port_of(world.forge.url)) as proxy:
        world.use_forge(commitStatus={"provider": "gitea", "secretRef": {"name": "forge"},
                                      "url": f"http://127.0.0.1:{proxy.port}"})
        world.start()
        first = world.push_maps("a")
        world.synced(first)
        world.wait(lambda: world.commit_state(first) == "success", "success on the first commit")
        proxy.close()
        second = world.push_maps("b")
        world.synced(second)
        agent = world.agent
        assert agent
        agent.wait_line(10, msg="commit status not written")
        assert world.commit_state(second) == ""
        proxy.open()
        world.wait(lambda: world.commit_state(second) == "success", "success, later", 60)
        time.sleep(1)
        mine = [s["status"] for s in world.forge.statuses(world.repo_name, second)]
        assert mine.count("success") == 1, mine


def test_forge_down_agent_restarted_then_told(world: World) -> None:
    """The word on the commit survives a kill of the agent while the forge is away."""
    with Proxy(port_of(world.forge.url)) as proxy:
        world.use_forge(commitStatus={"provider": "gitea", "secretRef": {"name": "forge"},
                                      "url": f"http://127.0.0.1:{proxy.port}"})
        agent = world.start()
        world.synced(world.push_maps("a"))
        proxy.close()
        sha = world.push_maps("b")
        world.synced(sha)
        agent.wait_line(10, msg="commit status not written")
        agent.kill()
        proxy.open()
        agent.start()
        world.wait(lambda: world.commit_state(sha) == "success", "success after the restart", 30)


def test_forge_token_that_comes_late(world: World) -> None:
    """The Secret is made after the Application: nothing has to be restarted."""
    world.use_forge(commitStatus={"provider": "gitea", "secretRef": {"name": "late"}})
    agent = world.start()
    line = agent.wait_line(10, msg="commit statuses are off")
    assert "late" in line["error"]
    sha = world.push_maps("a")
    world.synced(sha)
    assert world.events("CommitStatusOff")
    world.put(secret("late", world.ns, token=world.forge.token))
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit", 60)


def test_forge_stopped_for_real(cluster: Cluster, tmp_path: Path) -> None:
    forge = Forge.start("e2e-out")
    world = World(cluster, forge, tmp_path)
    try:
        world.use_forge()
        world.start()
        sha = world.push_maps("a")
        world.synced(sha)
        world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
        forge.stop()
        world.wait(lambda: world.condition("SourceReachable").get("status") == "False",
                   "the source to be stale")
        c = world.condition("SourceReachable")
        assert c["reason"] == "FetchFailed" and "stale since" in c["message"]
        world.heals("a")
        forge.restart()
        world.wait(lambda: world.condition("SourceReachable").get("status") == "True",
                   "the source to be back", 30)
        newer = world.push_maps("b")
        world.synced(newer, 30)
        world.wait(lambda: world.commit_state(newer) == "success", "success on the commit")
    finally:
        world.close()
        forge.stop()


def test_git_server_hangs(world: World) -> None:
    """The poll ends at its deadline, status says since when, healing goes on."""
    with Proxy(port_of(world.forge.url)) as proxy:
        world.use_forge()
        world.apply_app(source={"repoURL": world.url.replace(
            str(port_of(world.forge.url)), str(proxy.port))})
        world.put(repository(world.ns, f"http://127.0.0.1:{proxy.port}",
                             username=world.forge.admin["username"],
                             password=world.forge.token))
        world.start("--git-timeout", "2s")
        world.synced(world.push_maps("a"))
        proxy.hang()
        world.wait(lambda: world.condition("SourceReachable").get("reason") == "FetchTimeout",
                   "the deadline", 15)
        assert "stale since" in world.condition("SourceReachable")["message"]
        assert world.condition("Ready")["status"] == "False"
        world.heals("a")
        # no child is left behind by the polls that were killed
        assert world.agent
        world.wait(lambda: len(children(world.agent.pid)) <= 1, "at most one child")
        sha = world.push_maps("b")
        proxy.open()
        world.synced(sha, 30)


def test_git_server_that_never_answered(world: World) -> None:
    with HangingServer() as server:
        world.use_folder()
        world.apply_app(source={"repoURL": f"http://127.0.0.1:{server.port}/team/x.git"})
        world.start("--git-timeout", "1s")
        world.wait(lambda: world.condition("SourceReachable").get("reason") == "FetchTimeout",
                   "the deadline")
        assert world.condition("Ready")["status"] == "False"
        world.apply_app()       # the right URL after all
        world.synced(world.push_maps("a"), 30)


def test_cache_deleted_while_running(world: World) -> None:
    world.use_folder()
    agent = world.start()
    world.synced(world.push_maps("a"))
    agent.kill()
    for file in sorted((world.folder / "cache").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    agent.start()
    world.heals("a")
    world.synced(world.push_maps("b"))


def test_repository_deleted_and_back(world: World) -> None:
    world.use_folder()
    world.start()
    sha = world.push_maps("a")
    world.synced(sha)
    bare = world.folder / "bare.git"
    bare.rename(world.folder / "away.git")
    world.wait(lambda: world.condition("SourceReachable").get("status") == "False", "staleness")
    world.heals("a")
    (world.folder / "away.git").rename(bare)
    world.synced(world.push_maps("b"), 30)


def children(pid: int) -> list[int]:
    return [int(word) for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()]
