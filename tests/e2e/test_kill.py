"""`kill -9` at random points of 50 syncs, each of which creates, changes and prunes. At the end
the cluster equals Git, nothing is orphaned, nothing of others is touched."""

from __future__ import annotations

import base64
import random
import time

import pytest

from manifests import config_map, secret, service, text
from world import PATIENCE, World


class Fleet:
    """What Git says, changed at random."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.wanted: dict[str, str] = {}
        self.number = 0

    def change(self) -> str:
        """A commit that creates three to ten objects, changes and removes some."""
        r, files, gone = self.random, {}, []
        for name in r.sample(sorted(self.wanted), min(len(self.wanted), r.randint(0, 4))):
            if r.random() < 0.5 and len(self.wanted) > 12:
                del self.wanted[name]
                gone.append(f"app/{name}.yaml")
            else:
                self.wanted[name] = f"v{self.number}"
                files[f"app/{name}.yaml"] = self.manifest(name)
        for _ in range(r.randint(3, 6) if len(self.wanted) < 30 else 1):
            self.number += 1
            name = f"o{self.number}"
            self.wanted[name] = f"v{self.number}"
            files[f"app/{name}.yaml"] = self.manifest(name)
        return self.world.push(files, remove=gone)

    def manifest(self, name: str) -> str:
        value = self.wanted[name]
        kind = int(name[1:]) % 5
        if kind == 0:
            return text(secret(name, k=value))
        if kind == 1:
            o = service(name)
            o["metadata"]["annotations"] = {"k": value}
            return text(o)
        return text(config_map(name, k=value))

    def seen(self, part_of: str) -> dict[str, str]:
        """Everything in the namespace that carries our label, by name."""
        found = {}
        for plural in ("configmaps", "secrets", "services"):
            items = self.world.cluster.api(
                "GET", f"/api/v1/namespaces/{self.world.target}/{plural}"
                f"?labelSelector=applyset.kubernetes.io/part-of%3D{part_of}")["items"]
            for o in items:
                value = o["metadata"]["annotations"].get("k") or o["data"]["k"]
                found[o["metadata"]["name"]] = value
        return found

    def expected(self) -> dict[str, str]:
        return {n: base64.b64encode(v.encode()).decode() if int(n[1:]) % 5 == 0 else v
                for n, v in self.wanted.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_points_of_25_syncs(world: World, seed: int) -> None:
    world.use_folder()
    world.policy()
    world.apply_app(pruneLimit=1000)
    bystanders = [config_map(f"theirs{i}", world.target, k="theirs") for i in range(3)]
    world.put(*bystanders)
    theirs = {n: v for n, v in world.versions().items() if "theirs" in n}
    fleet = Fleet(world, seed)
    agent = world.start()
    world.synced(fleet.change())
    part_of = world.part_of()
    kills = 0
    for _ in range(25):
        sha = fleet.change()
        if not agent.alive():
            agent.start()
        # a sync of this size is over within 0.1 to 0.3 s of the agent's start
        time.sleep(fleet.random.uniform(0.0, 0.35) * PATIENCE)
        agent.kill()
        kills += 1
        if fleet.random.random() < 0.3:     # somebody edits while nobody watches
            name = fleet.random.choice([n for n in fleet.wanted if int(n[1:]) % 5 > 1])
            if world.get(name):
                world.edit(name, "while it was dead")
    assert kills == 25
    agent.start()

    def as_git_says() -> bool:
        assert fleet.seen(part_of) == fleet.expected()
        return world.status()["summary"]["objects"] == len(fleet.wanted)

    world.synced(sha, 40)       # perhaps said by the one before; the edit is seen a moment later
    world.wait(as_git_says, "the cluster to equal Git", 40)
    assert {n: v for n, v in world.versions().items() if "theirs" in n} == theirs
    # the inventory is exactly what there is: the next prune knows all of it
    states = world.cluster.api(
        "GET", f"/apis/modelsync.dev/v1alpha1/namespaces/{world.ns}/syncstates")["items"]
    entries = {k.rpartition("|")[2] for s in states for k in s.get("entries", {})}
    assert entries == set(fleet.wanted)
    world.heals(next(n for n in fleet.wanted if int(n[1:]) % 5 > 1),
                fleet.wanted[next(n for n in fleet.wanted if int(n[1:]) % 5 > 1)])


def test_killed_between_create_and_record(world: World) -> None:
    """Stopped at every step of one big sync by the API server's own pace: nothing is orphaned."""
    world.use_folder()
    world.start()
    agent = world.agent
    assert agent
    world.synced(world.push_maps("first"))
    names = [f"m{i:03}" for i in range(150)]
    sha = world.push_maps(*names)
    for i in range(12):
        time.sleep(0.04 * (i % 6 + 1) * PATIENCE)
        agent.kill()
        agent.start()
    # the commit that wanted them goes away while nobody knows how many there are
    agent.kill()
    back = world.push(remove=[f"app/{n}.yaml" for n in names])
    world.apply_app(pruneLimit=1000)
    agent.start()
    world.synced(back, 40)
    assert sha != back
    assert world.names() == ["first"]


def test_the_agents_memory_deleted(world: World) -> None:
    """Labels and annotations on the objects are enough to go on, and to prune."""
    world.use_folder()
    agent = world.start()
    world.synced(world.push_maps("a", "b", "c"))
    uids = {n: (world.get(n) or {})["metadata"]["uid"] for n in "abc"}
    agent.stop()
    states = f"/apis/modelsync.dev/v1alpha1/namespaces/{world.ns}/syncstates"
    for state in world.cluster.api("GET", states)["items"]:
        world.cluster.api("DELETE", f"{states}/{state['metadata']['name']}")
    sha = world.push(remove=["app/c.yaml"])
    agent.start()
    world.synced(sha)
    assert world.names() == ["a", "b"]
    assert {n: (world.get(n) or {})["metadata"]["uid"] for n in "ab"} == {
        n: uids[n] for n in "ab"}
    world.heals("a")
