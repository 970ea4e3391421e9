"""How many requests the agent makes, counted in the API server's audit log."""

from __future__ import annotations

import time

from manifests import config_map, deployment, service, text
from world import PATIENCE, World

Json = dict[str, object]


def requests(world: World, mark: int) -> list[str]:
    """What the agent asked for, as short lines; watches once."""
    found = []
    for r in world.cluster.requests(mark, user=world.user):
        o = r.get("objectRef", {})
        dry = " dry" if "dryRun" in r["requestURI"] else ""
        found.append(f"{r['verb']}{dry} {o.get('resource', r['requestURI'])}"
                     f"{'/' + o['subresource'] if o.get('subresource') else ''}"
                     f" {o.get('name', '')}".strip())
    return found


def quiet(world: World) -> int:
    """A mark after which nothing of the past is still on its way."""
    mark = world.cluster.audit_mark()
    for _ in range(100):
        time.sleep(0.4 * PATIENCE)
        now = world.cluster.audit_mark()
        if not requests(world, mark):
            return now
        mark = now
    raise AssertionError("the agent never rests")


def start(world: World) -> str:
    world.start()
    sha = world.push({"app/maps.yaml": text(*[config_map(f"m{i}", k="1") for i in range(20)]),
                      "app/one.yaml": text(config_map("one", k="1")),
                      "app/web.yaml": text(service("web"), deployment("web"))})
    world.synced(sha)
    return sha


def test_same_commit_again_costs_nothing(world: World) -> None:
    world.use_forge()
    sha = start(world)
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
    mark = quiet(world)
    polls = world.metric("modelsync_polls_succeeded_total")
    world.wait(lambda: world.metric("modelsync_polls_succeeded_total") >= polls + 4, "four polls")
    assert requests(world, mark) == []
    assert len(world.forge.statuses(world.repo_name, sha)) <= 3


def test_one_file_changed_is_one_dry_run_and_one_patch(world: World) -> None:
    world.use_folder()
    start(world)
    mark = quiet(world)
    sha = world.push_maps(one="2")
    world.synced(sha)
    quiet(world)
    seen = requests(world, mark)
    objects = [r for r in seen if "syncstates" not in r and "applications" not in r
               and "events" not in r]
    assert sorted(objects) == ["patch configmaps one", "patch dry configmaps one"], seen
    # beside them: state before and after, status, an event
    assert len(seen) <= 8, seen


def test_a_commit_beside_the_path_writes_no_object(world: World) -> None:
    world.use_folder()
    start(world)
    mark = quiet(world)
    sha = world.push({"docs/README.md": "words"})
    world.synced(sha)
    quiet(world)
    seen = requests(world, mark)
    assert not [r for r in seen if "configmaps" in r or "services" in r or "deployments" in r], seen
    assert len(seen) <= 6, seen


def test_drift_repair_is_one_patch(world: World) -> None:
    world.use_folder()
    start(world)
    mark = quiet(world)
    world.heals("one")
    quiet(world)
    seen = requests(world, mark)
    assert [r for r in seen if "configmaps" in r] == ["patch configmaps one"], seen


def test_restart_costs_watches_and_little_else(world: World) -> None:
    world.use_forge()
    sha = start(world)
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
    said = world.forge.statuses(world.repo_name, sha)
    agent = world.agent
    assert agent
    quiet(world)
    agent.stop()
    mark = world.cluster.audit_mark()
    agent.start()
    world.wait(lambda: world.http("/readyz")[0] == 200, "ready")
    polls = 2
    world.wait(lambda: world.metric("modelsync_polls_succeeded_total") >= polls, "polls")
    quiet(world)
    seen = requests(world, mark)
    watches = [r for r in seen if r.startswith("watch")]
    assert len(watches) == 6, watches       # three of ours, three kinds of objects
    assert len(seen) - len(watches) <= 10, seen
    assert not [r for r in seen if r.startswith(("patch", "create", "update", "delete"))], seen
    assert world.forge.statuses(world.repo_name, sha) == said
    assert world.status()["sync"] == {"revision": sha, "status": "Synced"}
    assert len(world.status()["history"]) == 1
    world.heals("one")


def test_kill_costs_no_second_word_on_the_commit(world: World) -> None:
    world.use_forge()
    sha = start(world)
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
    agent = world.agent
    assert agent
    for _ in range(3):
        agent.kill()
        agent.start()
        world.wait(lambda: world.http("/readyz")[0] == 200, "ready")
        time.sleep(0.5 * PATIENCE)
    said = [s["status"] for s in world.forge.statuses(world.repo_name, sha)]
    assert said.count("success") == 1 and len(said) <= 2, said
