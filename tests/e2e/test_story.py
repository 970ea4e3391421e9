"""The demo's story, and what stands beside it: status, history, events, prune, waves of kinds."""

from __future__ import annotations

import time

from manifests import config_map, deployment, service, service_account, text
from world import World


def test_push_verified_applied_reported_healed_pruned(world: World) -> None:
    world.use_forge()
    world.start()
    sha = world.push({"app/config.yaml": text(config_map("config", k="1")),
                      "app/web.yaml": text(service_account("web"), service("web"),
                                           deployment("web"))}, message="first")
    status = world.synced(sha)
    assert world.value("config") == "1"
    assert world.get("web", "serviceaccounts") and world.get("web", "services")
    assert world.get("web", "deployments")
    assert status["lastTrusted"] == sha
    assert status["summary"]["objects"] == status["summary"]["healthy"] == 4
    assert (status["history"][0]["signer"], status["history"][0]["subject"]) == (
        world.dev.email, "first")
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
    assert "4 objects" in world.commit_words(sha)

    began = time.monotonic()
    world.edit("config")
    world.wait(lambda: world.value("config") == "1", "the edit to be repaired", 5)
    assert time.monotonic() - began < 3
    before = world.get("web", "services")
    world.delete("web", "services")
    world.wait(lambda: (world.get("web", "services") or before)["metadata"]["uid"] !=
               before["metadata"]["uid"], "the Service to be back", 5)
    world.wait(lambda: len(world.events("DriftRepaired")) >= 2, "events of the repairs")
    assert world.metric("modelsync_repairs_total") >= 2

    removal = world.push(remove=["app/config.yaml"], message="remove config")
    world.synced(removal)
    assert world.get("config") is None
    back = world.repo.revert(removal)
    world.repo.push()
    world.synced(back)
    assert world.value("config") == "1"
    assert len(world.status()["history"]) == 3
    for commit in (removal, back):
        world.wait(lambda commit=commit: world.commit_state(commit) == "success", "success")


def test_objects_before_the_first_look_stay_and_strangers_fields_too(world: World) -> None:
    """What others own beside us survives a sync and a repair."""
    world.use_folder()
    world.put(config_map("bystander", world.target, k="mine"))
    world.start()
    world.synced(world.push_maps("a"))
    world.patch(world.path("a"), {"data": {"theirs": "kept"}, "metadata": {"labels": {"x": "y"}}})
    world.heals("a")
    seen = world.get("a")
    assert seen and seen["data"]["theirs"] == "kept" and seen["metadata"]["labels"]["x"] == "y"
    world.synced(world.push_maps(a="2"))
    assert (world.get("a") or {})["data"] == {"k": "2", "theirs": "kept"}
    assert world.value("bystander") == "mine"


def test_many_files_in_folders_and_lists(world: World) -> None:
    world.use_folder(source={"directory": {"recurse": True}})
    world.start()
    items = [config_map(f"l{i}", k="1") for i in range(30)]
    sha = world.push({
        "app/list.yaml": text({"apiVersion": "v1", "kind": "List", "items": items}),
        **{f"app/d{i}/m.json": text(config_map(f"d{i}", k="1")) for i in range(30)},
        "app/README.md": "not a manifest: {", "elsewhere/x.yaml": text(config_map("x", k="1"))})
    assert world.synced(sha)["summary"]["objects"] == 60
    assert len(world.names()) == 60


def test_tag_full_id_and_branch_as_target(world: World) -> None:
    world.use_folder()
    world.start()
    first = world.push_maps("a")
    world.synced(first)
    world.repo.git("tag", "v1", first)
    world.repo.git("push", "--quiet", "origin", "v1")
    second = world.push_maps(a="2")
    world.synced(second)
    third = world.push_maps(a="3")
    world.synced(third)
    # backwards is no fast-forward, whoever asks: the policy must say so, not the Application
    world.apply_app(source={"targetRevision": "v1"})
    world.refused(first, "NotFastForward")
    assert world.value("a") == "3"
    world.apply_app(source={"targetRevision": third})
    world.synced(third)


def test_removed_application_leaves_its_objects(world: World) -> None:
    world.use_folder()
    agent = world.start()
    world.synced(world.push_maps("a"))
    mark = agent.mark()
    world.cluster.api("DELETE", f"/apis/modelsync.dev/v1alpha1/namespaces/{world.ns}"
                      f"/applications/{world.app}")
    agent.wait_line(10, mark, msg="application removed; its objects stay")
    world.edit("a")
    time.sleep(0.5)
    assert world.value("a") == "by hand"
