"""Ways to the repository, and that no secret is shown on any of them."""

from __future__ import annotations

import base64
from pathlib import Path

from bed import Cluster, Forge, Repo, wait_until
from manifests import config_map, key_pair, repository, secret, text
from world import World


def over_ssh(world: World, known_hosts: str) -> World:
    world.repo_name = world.forge.create_repo("team", f"ssh-{world.ns}")
    private, public = key_pair(world.folder, "deploy")
    world.forge.api("POST", f"/repos/{world.repo_name}/keys",
                    {"title": "deploy", "key": public, "read_only": True})
    world.url = world.forge.ssh_repo_url(world.repo_name)
    world.repo = Repo.clone(world.forge, world.repo_name, world.folder / "tree", world.dev)
    world.put(repository(world.ns, world.url, sshPrivateKey=private, knownHosts=known_hosts))
    world.policy()
    world.apply_app()
    return world


def test_ssh_with_a_deploy_key_and_pinned_host(world: World) -> None:
    over_ssh(world, world.forge.known_hosts + "\n")
    world.start()
    world.synced(world.push_maps("a"))
    world.synced(world.push_maps(a="2"))
    assert world.value("a") == "2"


def test_ssh_host_with_another_key_is_refused(world: World) -> None:
    _, other = key_pair(world.folder, "other-host")
    host = world.forge.known_hosts.split()[0]
    over_ssh(world, f"{host} {' '.join(other.split()[:2])}\n")
    world.start()
    world.push_maps("a")
    world.wait(lambda: world.condition("SourceReachable").get("reason") == "HostKeyMismatch",
               "the refusal")
    assert world.names() == []
    # put right, it goes on by itself
    private = (world.folder / "deploy").read_text()
    world.put(repository(world.ns, world.url, sshPrivateKey=private,
                         knownHosts=world.forge.known_hosts + "\n"))
    world.wait(lambda: world.names() == ["a"], "the objects", 30)


def test_wrong_and_missing_credentials(world: World) -> None:
    world.use_forge()
    world.put(repository(world.ns, world.forge.url, username="nobody", password="wrong-canary"))
    world.start()
    sha = world.push_maps("a")
    world.wait(lambda: world.condition("SourceReachable").get("reason") == "GitAuth", "GitAuth")
    assert "wrong-canary" not in str(world.application())
    world.cluster.api("DELETE", f"/api/v1/namespaces/{world.ns}/secrets/repository")
    world.put(repository(world.ns, world.forge.url, username=world.forge.admin["username"],
                         password=world.forge.token))
    world.synced(sha, 30)


def test_branch_that_does_not_exist(world: World) -> None:
    world.use_folder(source={"targetRevision": "no-such-branch"})
    world.start()
    world.push_maps("a")
    world.wait(lambda: world.condition("Ready").get("reason") == "RefMissing", "RefMissing")
    assert "no-such-branch" in world.condition("Ready")["message"]


def test_https_forge_with_its_own_authority(cluster: Cluster, tmp_path: Path) -> None:
    forge = Forge.start("e2e-tls", https=True)
    assert forge.ca_file
    # by name: libgit2 with mbedTLS, as Debian builds it, knows no addresses in certificates
    forge.url = forge.url.replace("127.0.0.1", "localhost")
    world = World(cluster, forge, tmp_path)
    try:
        world.use_forge()
        world.start()
        sha = world.push_maps("a")
        world.wait(lambda: world.condition("SourceReachable").get("status") == "False",
                   "an unknown authority to be refused")
        assert "certificate" in world.condition("SourceReachable")["message"].lower()
        ca = Path(forge.ca_file).read_text()
        world.put(repository(world.ns, forge.url, username=forge.admin["username"],
                             password=forge.token, caCert=ca),
                  secret("forge", world.ns, token=forge.token, caCert=ca))
        world.synced(sha, 30)
        world.wait(lambda: world.commit_state(sha) == "success", "success on the commit", 30)
    finally:
        world.close()
        forge.stop()


def test_secrets_are_shown_nowhere(world: World) -> None:
    """Tokens and Secret data in no log, event, status, cache or word on a commit."""
    world.use_forge()
    token = world.forge.create_token("write:repository")
    world.put(repository(world.ns, world.forge.url, username=world.forge.admin["username"],
                         password=token), secret("forge", world.ns, token=token))
    value = "canary-of-a-secret-value"
    coded = base64.b64encode(value.encode()).decode()
    agent = world.start()
    plain = secret("plain")
    plain["stringData"] = {"k": value}
    del plain["data"]
    good = world.push({"app/a.yaml": text(secret("coded", k=value)), "app/b.yaml": text(plain),
                       "app/c.yaml": text(config_map("c", k="1"))})
    world.synced(good)
    world.wait(lambda: world.commit_state(good) == "success", "success on the commit")
    # a repair, a refusal by the server, an outage, a restart: each has its own words
    path = world.path("coded", "secrets")
    world.patch(path, {"data": {"k": "AAAA"}})
    wait_until(lambda: world.cluster.get(path)["data"]["k"] == coded, 10, "the repair")
    bad = secret("coded", **{"not allowed!": value})
    world.refused(world.push({"app/a.yaml": text(bad)}), "Rejected")
    broken = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  k: [" + value
    sha = world.push({"app/a.yaml": broken})
    world.wait(lambda: world.status()["sync"]["revision"] == sha and
               world.condition("Ready")["reason"] not in ("Rejected", "Progressing"), "YAML")
    world.wait(lambda: world.commit_state(sha) == "failure", "failure on the commit")
    agent.stop()
    agent.start()
    world.synced(world.push({"app/a.yaml": text(secret("coded", k=value + "2"))}))
    shown = {
        "log": agent.log.read_text(),
        "events": str(world.events()),
        "application": str(world.application()),
        "states": str(world.cluster.api(
            "GET", f"/apis/modelsync.dev/v1alpha1/namespaces/{world.ns}/syncstates")),
        "commits": str([world.forge.statuses(world.repo_name, s) for s in (good, sha)]),
        "metrics": world.http("/metrics")[1],
        "status": world.modelsync("status", world.app, "-o", "yaml"),
        "processes": "".join(p.read_bytes().decode(errors="replace") for p in
                             Path(f"/proc/{agent.pid}").glob("task/*/cmdline")),
        "cache": "".join(f.read_bytes().decode(errors="replace") for f in
                         (world.folder / "cache").rglob("*") if f.is_file()),
    }
    for where, content in shown.items():
        for canary in (token, value, coded):
            assert canary not in content, f"{canary} in {where}"
