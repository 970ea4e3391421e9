"""Commits that can't be applied: nothing of them is, the reason names file, line or field, and
what was applied before is healed."""

from __future__ import annotations

import base64

import pytest

from manifests import application, config_map, custom_definition, deployment, secret, service, text
from world import World

GOOD = text(config_map("good", k="1"))
BAD_YAML = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\n\tdata: {}\n"
TWICE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata:\n  k: '1'\n  k: '2'\n"
OLD_API = """\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: bad}
spec: {}
"""
NO_NUMBER = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: bad}
data:
  k: 5
"""
PORTS = service("bad")
PORTS["spec"]["ports"][0]["port"] = 123456
SELECTOR = deployment("bad")
SELECTOR["spec"]["selector"]["matchLabels"] = {"app": "other"}
LONG_KEY = config_map("bad", **{"not allowed!": "1"})

CASES = {
    "yaml": (BAD_YAML, "YamlInvalid", ["app/bad.yaml:5"]),
    "key-twice": (TWICE, "DuplicateKey", ["app/bad.yaml:6", "k"]),
    "object-twice": (text(config_map("good", k="2")), "DuplicateObject",
                     ["ConfigMap", "good", "app/"]),
    "no-kind": ("apiVersion: v1\nmetadata: {name: bad}\n", "NotAnObject", ["app/bad.yaml", "kind"]),
    "removed-api": (OLD_API, "RemovedApi", ["app/bad.yaml", "networking.k8s.io/v1", "1.22"]),
    "missing-namespace": (text(config_map("bad", namespace="no-such-namespace", k="1")),
                          "NamespaceMissing", ["no-such-namespace"]),
    "no-string": (NO_NUMBER, "Rejected", ["app/bad.yaml:1", "bad", "k"]),
    "field-value": (text(PORTS), "Rejected",
                    ["app/bad.yaml:1", "Service", "bad", "port", "65535"]),
    "cross-field": (text(SELECTOR), "Rejected",
                    ["app/bad.yaml:1", "Deployment", "bad", "selector"]),
    "data-key": (text(LONG_KEY), "Rejected", ["app/bad.yaml:1", "ConfigMap", "bad", "data"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_commit_applies_nothing_of_itself(world: World, case: str) -> None:
    content, reason, words = CASES[case]
    world.use_forge()
    world.start()
    first = world.push({"app/good.yaml": GOOD, "app/gone.yaml": text(config_map("gone", k="1"))})
    world.synced(first)
    before = world.versions()
    mark = world.cluster.audit_mark()
    bad = world.push({"app/bad.yaml": content, "app/new.yaml": text(config_map("new", k="1"))},
                     remove=["app/gone.yaml"], message="a bad one")
    c = world.wait(lambda: [c for c in [world.condition("Ready")] if c["status"] == "False" and
                            world.status()["sync"]["revision"] == bad and
                            c["reason"] != "Progressing"], "the refusal")[0]
    assert c["reason"] == reason, c
    for word in words:
        assert word in c["message"], c["message"]
    world.wait(lambda: world.commit_state(bad) == "failure", "failure on the commit")
    assert reason in world.commit_words(bad)
    assert world.versions() == before
    writes = [r for r in world.cluster.requests(mark, user=world.user)
              if r["objectRef"].get("namespace") == world.target
              and r["verb"] in ("create", "update", "patch", "delete")
              and "dryRun" not in r["requestURI"]]
    assert not writes, writes
    assert world.status()["quarantined"][0]["revision"] == bad
    world.heals("good")
    world.delete("gone")
    world.wait(lambda: world.value("gone") == "1", "what the commit removes to be healed")

    mended = world.push({"app/bad.yaml": text(config_map("bad", k="1"))})
    world.synced(mended)
    assert world.names() == ["bad", "good", "new"]
    assert not world.status().get("quarantined")


def test_refused_update_among_good_updates(world: World) -> None:
    """Of objects that are ours already: all are asked about before the first is written."""
    world.use_folder()
    world.start()
    world.synced(world.push({"app/good.yaml": GOOD, "app/web.yaml": text(service("bad"))}))
    before = world.versions()
    sha = world.push({"app/good.yaml": text(config_map("good", k="2")),
                      "app/web.yaml": text(PORTS)})
    assert "app/web.yaml:1" in world.refused(sha, "Rejected")
    assert world.versions() == before
    world.heals("good")


def test_bad_first_commit_and_its_repair(world: World) -> None:
    world.use_forge()
    world.start()
    sha = world.push({"app/bad.yaml": BAD_YAML, "app/good.yaml": GOOD})
    assert "app/bad.yaml:5" in world.refused(sha, "YamlInvalid")
    assert world.names() == []
    world.synced(world.push(remove=["app/bad.yaml"]))
    assert world.names() == ["good"]


def test_all_that_is_wrong_is_told_at_once(world: World) -> None:
    world.use_folder()
    world.start()
    sha = world.push({"app/a.yaml": BAD_YAML, "app/b.yaml": TWICE, "app/c.yaml": OLD_API})
    assert "and 2 more" in world.refused(sha, "YamlInvalid")


def test_unknown_kind_waits_and_the_rest_is_applied(world: World) -> None:
    world.use_forge()
    group = f"{world.ns}.example.com"
    world.start()
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"},
              "spec": {"size": 3}}
    sha = world.push({"app/w.yaml": text(widget), "app/good.yaml": GOOD})
    world.refused(sha, "KindUnknown")
    assert world.value("good") == "1"
    world.wait(lambda: world.commit_state(sha) == "pending" and
               "1 object" in world.commit_words(sha), "pending on the commit")
    assert world.status()["summary"]["waiting"] == 1
    world.heals("good")
    definition = custom_definition(group, "Widget")
    world.put(definition)
    try:
        path = f"/apis/{group}/v1/namespaces/{world.target}/widgets/w"
        world.wait(lambda: world.cluster.get(path), "the widget", 40)
        world.synced(sha)
        world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")
        world.patch(path, {"spec": {"size": 4}})
        world.wait(lambda: world.cluster.get(path)["spec"]["size"] == 3, "the widget's repair")
    finally:
        world.cluster.api("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
                          + definition["metadata"]["name"])


def test_definition_and_its_object_in_one_commit(world: World) -> None:
    world.use_folder()
    group = f"{world.ns}.example.com"
    definition = custom_definition(group, "Gadget")
    gadget = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    world.start()
    sha = world.push({"app/a.yaml": text(gadget), "app/b.yaml": text(definition)})
    try:
        world.synced(sha, 40)
        assert world.cluster.get(f"/apis/{group}/v1/namespaces/{world.target}/gadgets/g")
    finally:
        world.cluster.api("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
                          + definition["metadata"]["name"])


def test_namespace_and_its_objects_in_one_commit(world: World) -> None:
    world.use_folder()
    world.start()
    name = f"{world.target}-made"
    sha = world.push({"app/a.yaml": text(config_map("a", namespace=name, k="1")),
                      "app/ns.yaml": text({"apiVersion": "v1", "kind": "Namespace",
                                           "metadata": {"name": name}})})
    try:
        world.synced(sha)
        assert world.cluster.get(f"/api/v1/namespaces/{name}/configmaps/a")
        # a namespace is never pruned: all in it would go
        world.synced(world.push({"app/b.yaml": GOOD}, remove=["app/a.yaml", "app/ns.yaml"]))
        space = world.cluster.get(f"/api/v1/namespaces/{name}")
        assert space and "deletionTimestamp" not in space["metadata"]
        assert not world.cluster.get(f"/api/v1/namespaces/{name}/configmaps/a")
    finally:
        world.cluster.api("DELETE", f"/api/v1/namespaces/{name}")


def test_missing_path_prunes_nothing(world: World) -> None:
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a"))
    world.repo.git("mv", "app", "elsewhere")
    sha = world.push()
    assert "app" in world.refused(sha, "PathMissing")
    world.heals("a")


def test_empty_source_is_refused_until_allowed(world: World) -> None:
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a", "b"))
    sha = world.push({"app/README.md": "nothing"}, remove=["app/a.yaml", "app/b.yaml"])
    world.refused(sha, "EmptySource")
    assert world.names() == ["a", "b"]
    world.heals("a")
    world.apply_app(syncPolicy={"automated": {"prune": True, "selfHeal": True,
                                              "allowEmpty": True}})
    world.synced(sha)
    assert world.names() == []


def test_prune_limit(world: World) -> None:
    world.use_folder()
    world.start()
    names = [f"m{i}" for i in range(10)]
    world.synced(world.push_maps(*names))
    sha = world.push(remove=[f"app/m{i}.yaml" for i in range(6)])
    assert "6 of 10" in world.refused(sha, "PruneLimit")
    assert world.names() == names
    world.heals("m0")
    world.apply_app(pruneLimit=6)
    world.synced(sha)
    assert world.names() == names[6:]
    world.apply_app(pruneLimit=0)
    world.refused(world.push(remove=["app/m6.yaml"]), "PruneLimit")


def test_foreign_object_is_refused_until_git_adopts_it(world: World) -> None:
    world.use_forge()
    world.put(config_map("theirs", world.target, k="old"))
    world.start()
    before = world.versions()
    sha = world.push_maps("a", "theirs")
    assert "theirs" in world.refused(sha, "ForeignOwner")
    world.wait(lambda: world.commit_state(sha) == "failure", "failure on the commit")
    assert world.versions() == before
    adopted = config_map("theirs", k="1")
    adopted["metadata"]["annotations"] = {"modelsync.dev/adopt": "true"}
    world.synced(world.push({"app/theirs.yaml": text(adopted)}))
    assert world.value("theirs") == "1"
    world.heals("theirs")


def test_object_of_another_application_is_refused(world: World) -> None:
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a"))
    other = application(world.ns, "other", world.url, world.target)
    world.put(other)
    path = f"/apis/modelsync.dev/v1alpha1/namespaces/{world.ns}/applications/other"

    def reason() -> str:
        found = world.cluster.api("GET", path)["status"]["conditions"]
        return next(c["reason"] for c in found if c["type"] == "Ready")

    world.wait(lambda: reason() == "SharedObject", "the second Application to be refused")
    world.heals("a")


def test_spec_that_is_not_honoured_is_refused_by_name(world: World) -> None:
    world.use_folder()
    world.start()
    sha = world.push_maps("a")
    world.synced(sha)
    world.apply_app(source={"helm": {"valueFiles": ["x"]}})
    world.wait(lambda: "spec.source.helm" in world.condition("Ready")["message"] and
               world.condition("Ready")["reason"] == "NotSupported", "the field's name")
    world.apply_app(syncPolicy={"automated": {"enabled": True},
                                "syncOptions": ["CreateNamespace=true"]})
    world.wait(lambda: "CreateNamespace=true" in world.condition("Ready")["message"], "the option")
    world.apply_app()
    world.synced(sha)


def test_values_of_a_refused_secret_are_shown_nowhere(world: World) -> None:
    world.use_forge()
    world.start()
    canary = "canary-in-a-secret"
    no_base64, bad_key = secret("bad"), secret("bad", **{"not allowed!": canary})
    no_base64["data"] = {"k": canary}
    for bad, reason in ((no_base64, "FieldInvalid"), (bad_key, "Rejected")):
        sha = world.push({"app/bad.yaml": text(bad)})
        message = world.refused(sha, reason)
        assert "Secret" in message and "bad" in message
        world.wait(lambda sha=sha: world.commit_state(sha) == "failure", "failure on the commit")
        assert world.agent
        for seen in (message, world.commit_words(sha), world.agent.log.read_text(),
                     str(world.events()), str(world.application())):
            assert canary not in seen
            assert base64.b64encode(canary.encode()).decode() not in seen
