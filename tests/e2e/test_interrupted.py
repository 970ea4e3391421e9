"""A sync that is still under way: what may end it, and what an end must not claim."""

from __future__ import annotations

import time

import manifests
from manifests import config_map, deployment, text
from world import World

# Nothing runs pods here, so a Deployment that wants one never becomes healthy.
WAITING = {"app/web.yaml": text(deployment("web", replicas=1))}


def start_waiting(world: World, *flags: str) -> str:
    """One synced commit, then one that waits for health, with an object to prune after it."""
    world.use_folder()
    world.push_maps("one", "two")
    world.start(*flags)
    world.synced(world.repo.head())
    sha = world.push(WAITING, remove=["app/two.yaml"])
    world.wait(lambda: world.get("web", "deployments"), "the Deployment")
    return sha


def test_suspend_stops_before_the_prune(world: World) -> None:
    start_waiting(world)
    world.patch_app({"suspend": True})
    world.wait(lambda: world.condition("Ready").get("reason") == "Suspended", "Suspended")
    # what it waited for comes true; nothing may follow
    world.patch(world.path("web", "deployments"), {"spec": {"replicas": 0}})
    time.sleep(2)
    assert world.value("two") == "1", "pruned although suspended"
    world.patch_app({"suspend": False})
    sha = world.push({"app/web.yaml": text(deployment("web", replicas=0))})
    world.synced(sha)
    assert world.get("two") is None


def test_no_success_without_health(world: World) -> None:
    sha = start_waiting(world, "--sync-timeout", "2s")
    world.wait(lambda: world.condition("Ready").get("reason") == "Timeout", "the time-out")
    # the next tries find all written and nothing to change: still no success, and no prune
    seen = set()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        status = world.status()
        seen.add(status.get("operation", {}).get("phase"))
        assert status["sync"]["status"] != "Synced", status
        assert status["history"][0]["revision"] != sha
        time.sleep(0.2)
    assert "Succeeded" not in seen
    assert world.value("two") == "1", "pruned before what came with it was healthy"


def test_application_made_again_remembers(world: World) -> None:
    world.use_folder()
    first = world.push_maps("one", "two")
    world.start()
    world.synced(first)
    second = world.push(remove=["app/two.yaml"], files={"app/three.yaml": text(
        config_map("three", k="1"))})
    world.synced(second)
    world.cluster.api("DELETE",
                      f"{manifests.API}/namespaces/{world.ns}/applications/{world.app}")
    world.repo.git("reset", "--hard", "--quiet", first)
    world.repo.push(force=True)
    world.apply_app()
    world.refused(first, "NotFastForward")
    assert world.get("two") is None and world.value("three") == "1"
    world.heals("three")


def test_unreachable_repository_ends_no_sync(world: World) -> None:
    sha = start_waiting(world)
    bare = world.folder / "bare.git"
    bare.rename(world.folder / "away.git")
    world.wait(lambda: world.condition("SourceReachable").get("status") == "False", "the outage")
    world.patch(world.path("web", "deployments"), {"spec": {"replicas": 0}})
    world.wait(lambda: world.get("web", "deployments"), "the Deployment")
    (world.folder / "away.git").rename(bare)
    world.wait(lambda: world.condition("SourceReachable").get("status") == "True", "the end of it")
    assert not [line for line in world.agent.lines() if "superseded" in line.get("msg", "")]
    assert world.status()["sync"]["revision"] == sha
