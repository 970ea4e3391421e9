"""What an Application's spec switches: self-heal, automation, suspension, prune, adoption of a new
source; and what operators look at."""

from __future__ import annotations

import json
import time

from bed import wait_until
from manifests import application, config_map, text
from world import World

MANUAL = {"automated": {"prune": True, "selfHeal": False}}


def test_self_heal_off_reports_and_leaves_alone(world: World) -> None:
    world.use_folder(syncPolicy=MANUAL)
    world.start()
    sha = world.push_maps("a", "b")
    world.synced(sha)
    world.edit("a")
    world.wait(lambda: world.status()["sync"]["status"] == "OutOfSync", "OutOfSync")
    assert world.condition("Ready")["reason"] == "OutOfSync"
    world.edit("a", "again by hand")
    time.sleep(0.7)
    assert world.value("a") == "again by hand"
    assert world.status()["summary"]["outOfSync"] == 1
    # Git wins all the same once it has something new
    newer = world.push_maps(b="2")
    world.synced(newer)
    assert world.value("a") == "1" and world.value("b") == "2"


def test_self_heal_off_and_put_right_by_command(world: World) -> None:
    world.use_folder(syncPolicy=MANUAL)
    world.start()
    sha = world.push_maps("a")
    world.synced(sha)
    world.edit("a")
    world.wait(lambda: world.status()["sync"]["status"] == "OutOfSync", "OutOfSync")
    world.modelsync("sync", world.app)
    assert world.value("a") == "1"
    world.synced(sha)
    before = world.get("a")
    world.delete("a")
    world.wait(lambda: world.status()["sync"]["status"] == "OutOfSync", "OutOfSync")
    world.modelsync("sync", world.app)
    assert before and (world.get("a") or before)["metadata"]["uid"] != before["metadata"]["uid"]
    world.synced(sha)


def test_automated_off_waits_for_the_command(world: World) -> None:
    world.use_forge(syncPolicy={})
    world.start()
    sha = world.push_maps("a")
    world.wait(lambda: world.commit_state(sha) == "pending", "pending on the commit")
    world.wait(lambda: world.status()["sync"] == {"revision": sha, "status": "OutOfSync"},
               "OutOfSync")
    assert world.names() == []
    out = world.modelsync("sync", world.app)
    assert "Synced" in out
    assert world.names() == ["a"]
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
    world.edit("a")
    time.sleep(0.5)
    assert world.value("a") == "by hand"
    gone = world.push({"app/b.yaml": text(config_map("b", k="1"))}, remove=["app/a.yaml"])
    world.wait(lambda: world.status()["sync"]["revision"] == gone, "the new commit to be seen")
    world.modelsync("sync", world.app)
    assert world.names() == ["a", "b"]      # prune was not asked for
    assert world.status()["summary"]["kept"] == 1
    world.modelsync("sync", world.app, "--prune")
    assert world.names() == ["b"]


def test_suspend(world: World) -> None:
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a"))
    world.patch_app({"suspend": True})
    world.wait(lambda: world.condition("Ready").get("reason") == "Suspended", "Suspended")
    world.edit("a")
    sha = world.push_maps("b")
    time.sleep(1.5)
    assert world.value("a") == "by hand" and world.names() == ["a"]
    world.patch_app({"suspend": False})
    world.synced(sha)
    world.wait(lambda: world.value("a") == "1", "the edit to be repaired")
    assert world.names() == ["a", "b"]


def test_prune_off_keeps_and_says_so(world: World) -> None:
    world.use_folder(syncPolicy={"automated": {"selfHeal": True}})
    world.start()
    world.synced(world.push_maps("a", "b"))
    sha = world.push(remove=["app/b.yaml"])
    status = world.synced(sha)
    assert status["summary"]["kept"] == 1
    assert world.names() == ["a", "b"]
    world.apply_app()
    world.wait(lambda: world.names() == ["a"], "the prune once it is on")


def test_new_path_of_the_same_application(world: World) -> None:
    world.use_folder()
    world.start()
    sha = world.push({"app/a.yaml": text(config_map("a", k="1")),
                      "other/b.yaml": text(config_map("b", k="1"))})
    world.synced(sha)
    world.apply_app(source={"path": "other"})
    world.wait(lambda: world.names() == ["b"], "the other folder, and nothing else")
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready")


def test_two_applications_of_one_repository(world: World) -> None:
    world.use_folder()
    world.put(application(world.ns, "other", world.url, world.target,
                          source={"path": "other"}))
    world.start()
    sha = world.push({"app/a.yaml": text(config_map("a", k="1")),
                      "other/b.yaml": text(config_map("b", k="1"))})
    world.synced(sha)
    world.wait(lambda: world.names() == ["a", "b"], "both")
    assert world.metric(f'modelsync_source_contact_age_seconds{{url="{world.url}"}}') >= 0
    out = world.modelsync("status")
    assert "web" in out and "other" in out


def test_objects_outside_the_destination_namespace(world: World) -> None:
    world.use_folder()
    world.start()
    other = world.cluster.new_namespace("app")
    try:
        world.synced(world.push({"app/a.yaml": text(config_map("a", namespace=other, k="1"))}))
        path = f"/api/v1/namespaces/{other}/configmaps/a"
        world.patch(path, {"data": {"k": "by hand"}})
        world.wait(lambda: (world.cluster.get(path) or {})["data"]["k"] == "1", "the repair")
        # moved to the destination: gone there, here instead
        world.synced(world.push({"app/a.yaml": text(config_map("a", k="1"))}))
        assert world.cluster.get(path) is None and world.value("a") == "1"
    finally:
        world.cluster.api("DELETE", f"/api/v1/namespaces/{other}")


def test_a_fight_is_named_and_ends(world: World) -> None:
    """Another controller writes the same field again and again: we say so and pause."""
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a", "b"))

    def fight() -> bool:
        world.edit("a", f"theirs {time.monotonic()}")
        time.sleep(0.05)
        return world.condition("Stalled").get("reason") == "FightingController"

    wait_until(fight, 30, "the fight to be named", every=0.05)
    time.sleep(0.3)
    assert world.value("a") != "1"
    world.heals("b")
    assert world.events("FightingController")


# ---- probes and metrics ----------------------------------------------------------------------


def test_probes_and_metrics(world: World) -> None:
    world.use_folder(policy=False)
    world.start()

    def get(path: str) -> int:
        return world.http(path)[0]

    world.wait(lambda: get("/healthz") == 200, "healthz")
    world.wait(lambda: get("/readyz") == 200, "readyz")
    assert get("/nothing") == 404
    world.policy()
    sha = world.push_maps("a")
    world.synced(sha)
    code, body = world.http("/metrics")
    assert code == 200
    assert f'modelsync_app_info{{app="{world.key}",revision="{sha}",ready="true"' in body
    assert f'modelsync_app_objects{{app="{world.key}"}} 1' in body
    for line in body.splitlines():
        name, _, value = line.rpartition(" ")
        assert line.startswith("#") or (name.startswith(("modelsync_", "process_")) and
                                        float(value) is not None)
    repairs = world.metric("modelsync_repairs_total")
    world.heals("a")
    world.wait(lambda: world.metric("modelsync_repairs_total") == repairs + 1, "the count")
    assert world.metric("modelsync_repair_seconds_count") == repairs + 1
    assert 1e6 < world.metric("process_resident_memory_bytes") < 500e6


def test_not_ready_before_the_definitions_are_there(world: World) -> None:
    """An agent that can't see its own kinds says what is missing instead of being ready."""
    world.use_folder()
    eve = world.cluster.kubeconfig_for(f"nobody-{world.ns}")
    agent = world.start(kubeconfig=eve)
    line = agent.wait_line(10, msg="can't start yet")
    assert "SyncState" in line["error"] or "forbidden" in line["error"].lower(), line
    code, body = world.http("/readyz")
    assert code == 503 and body.strip()
    assert world.http("/healthz")[0] == 200


def test_json_log_and_settings_from_a_file(world: World) -> None:
    world.use_folder()
    config = world.folder / "config.yaml"
    config.write_text("logFormat: json\n")
    agent = world.start("--config", str(config))
    world.synced(world.push_maps("a"))
    for line in agent.log.read_text().splitlines():
        json.loads(line)
