"""The command line: exit codes, tables and JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from bed import Repo, Signer, git_env, run
from manifests import config_map, service, text
from world import BINARY, World, check_sanitizers, clean_env


def command(*words: str | Path, code: int = 0, cwd: Path | None = None) -> str:
    """Without a cluster."""
    done = subprocess.run([str(BINARY), *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False, env=clean_env(), cwd=cwd)
    check_sanitizers(done.stderr)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{words}: exit code {done.returncode}\n{said}"
    return said


# ---- with a cluster --------------------------------------------------------------------------


def test_status_wait_sync(world: World) -> None:
    world.use_folder(policy=False)
    world.start()
    sha = world.push_maps("a")
    world.refused(sha, "NoPolicy")
    out = world.modelsync("status", code=1)
    assert world.key in out and "NoPolicy" in out
    out = world.modelsync("status", world.app, code=1)
    assert "NoPolicy" in out
    out = world.modelsync("wait", world.app, "--timeout", "1s", code=1)
    assert "NoPolicy" in out
    out = world.modelsync("sync", world.app, code=1)
    assert "NoPolicy" in out

    world.policy()
    out = world.modelsync("wait", world.app, "--revision", sha[:10])
    assert "Synced" in out and sha[:12] in out
    table = world.modelsync("status").splitlines()
    assert table[0].split()[:3] == ["APPLICATION", "SYNC", "HEALTH"]
    assert table[1].split() == [world.key, "Synced", "Healthy", sha[:8], world.dev.email, "1",
                                "Synced"]
    out = world.modelsync("status", f"{world.ns}/{world.app}")
    assert sha in out and world.dev.email in out and "History" in out

    found = json.loads(world.modelsync("status", world.app, "-o", "json"))
    assert found["status"]["lastTrusted"] == sha
    found = json.loads(world.modelsync("status", "-o", "json"))
    assert [i["metadata"]["name"] for i in found["items"]] == [world.app]
    assert "lastTrusted: " + sha in world.modelsync("status", world.app, "-o", "yaml")
    found = json.loads(world.modelsync("wait", world.app, "-o", "json"))
    assert found["sync"]["status"] == "Synced"
    assert json.loads(world.modelsync("sync", world.app, "-o", "json"))["lastTrusted"] == sha
    world.modelsync("wait", world.app, "--revision", "0" * 40, "--timeout", "1s", code=1)
    world.modelsync("wait", world.app, "--synced")
    assert "nothing-here" in world.modelsync("status", "nothing-here", code=1)
    assert "nothing-here" in world.modelsync("wait", "nothing-here", "--timeout", "2s", code=1)
    assert "nothing-here" in world.modelsync("sync", "nothing-here", code=1)


def test_sync_polls_at_once(world: World) -> None:
    world.use_folder(interval="1h")
    world.start("--poll-interval", "1h")
    world.wait(lambda: world.status(), "the first look")
    sha = world.push_maps("a")
    world.modelsync("sync", world.app)
    assert world.names() == ["a"]
    assert world.status()["sync"]["revision"] == sha


def test_diff(world: World) -> None:
    world.use_folder(syncPolicy={})
    world.start()
    flags = ["--allow-file-urls", "--cache-dir", world.folder / "diff"]
    sha = world.push_maps("a", "b")
    out = world.modelsync("diff", world.app, *flags, code=3)
    assert "+ ConfigMap" in out and "2 to create" in out and sha[:12] in out
    assert world.dev.email in out
    world.modelsync("sync", world.app)
    out = world.modelsync("diff", world.app, *flags)
    assert "2 unchanged" in out
    world.edit("a")
    world.push({"app/c.yaml": text(config_map("c", k="1"))}, remove=["app/b.yaml"])
    before = world.versions()
    found = json.loads(world.modelsync("diff", world.app, *flags, "-o", "json", code=3))
    assert {(c["change"], c["object"].split("/")[-1]) for c in found["changes"]} >= {
        ("create", "c"), ("repair", "a")}
    assert next(c["file"] for c in found["changes"] if c["change"] == "create") == "app/c.yaml"
    assert world.versions() == before
    bad = service("bad")
    bad["spec"]["ports"][0]["port"] = 123456
    world.push({"app/bad.yaml": text(bad)})
    out = world.modelsync("diff", world.app, *flags, code=1)
    assert "bad" in out and "65535" in out
    world.push(remove=["app/bad.yaml"], signer=world.stranger)
    assert "UnknownSigner" in world.modelsync("diff", world.app, *flags, code=1)
    assert world.versions() == before


def test_unreachable_cluster_is_told_in_one_line(world: World) -> None:
    config = world.folder / "kubeconfig"
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}]}))
    out = command("status", "--kubeconfig", config, "--timeout", "2s", code=1)
    assert "127.0.0.1:1" in out and len(out.splitlines()) <= 2
    out = command("status", "--kubeconfig", world.folder / "none", code=1)
    assert str(world.folder / "none") in out


def test_colour_only_on_a_terminal(world: World) -> None:
    world.use_folder()
    world.start()
    world.synced(world.push_maps("a"))
    argv = [str(BINARY), "status", "-n", world.ns, "--kubeconfig", str(world.cluster.kubeconfig)]
    assert "\033[" not in world.modelsync("status")

    def on_terminal(**env: str) -> str:
        near, far = pty.openpty()
        with subprocess.Popen(argv, stdout=far, stderr=far, env={**clean_env(), **env}) as child:
            os.close(far)
            said = b""
            try:
                while chunk := os.read(near, 4096):
                    said += chunk
            except OSError:
                pass
            os.close(near)
            assert child.wait() == 0
        return said.decode()

    assert "\033[" in on_terminal()
    assert "\033[" not in on_terminal(NO_COLOR="1")


# ---- without one -----------------------------------------------------------------------------


def test_check(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad / "below"):
        folder.mkdir(parents=True)
    (good / "a.yaml").write_text(text(config_map("a", k="1"), service("a")))
    (good / "values.txt").write_text("no: [manifest")
    (bad / "below/a.yaml").write_text("a: 1\nb: 2\na: 3\n")
    (bad / "ing.yaml").write_text(
        "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: i}\n")
    assert "2 objects" in command("check", good)
    out = command("check", bad, code=1)
    assert "a.yaml:3" in out and "networking.k8s.io/v1" in out and "2 problems" in out
    found = json.loads(command("check", good, bad, "--output", "json", code=1))
    assert {p["reason"] for p in found["problems"]} == {"DuplicateKey", "RemovedApi"}
    assert command("check", good / "a.yaml")
    command("check", tmp_path / "none", code=1)
    command("check", code=2)
    example = Path(__file__).resolve().parents[2] / "examples-repo"
    command("check", example / "clusters/edge-1/web", "--namespace", "web")


def test_verify(tmp_path: Path) -> None:
    dev, stranger = Signer("dev", tmp_path), Signer("stranger", tmp_path)
    repo = Repo.init(tmp_path / "tree", dev)
    first = repo.commit("first")
    repo.commit("second")
    allowed = tmp_path / "allowed"
    allowed.write_text(dev.allowed_signers())
    flags = ["--allowed-signers", allowed, "-C", repo.path]
    out = command("verify", *flags)
    assert out.count(dev.email) == 2
    assert dev.email in command("verify", f"{first}..HEAD", "--allowed-signers", allowed,
                                cwd=repo.path)
    repo.commit("third", signer=stranger)
    repo.commit("fourth", sign=False)
    out = command("verify", *flags, code=1)
    assert "UnknownSigner" in out and "Unsigned" in out and out.count(dev.email) >= 2
    out = command("verify", f"{first}..HEAD~2", *flags)
    assert "UnknownSigner" not in out
    found = json.loads(command("verify", *flags, "-o", "json", code=1))
    rows = found if isinstance(found, list) else found["commits"]
    assert len(rows) == 4
    command("verify", "-C", repo.path, code=2)
    command("verify", "no-such-thing", *flags, code=1)


def test_verify_as_a_pre_receive_hook(tmp_path: Path) -> None:
    """As the README shows it: the server refuses what the agent would refuse."""
    dev, stranger = Signer("dev", tmp_path), Signer("stranger", tmp_path)
    bare = tmp_path / "bare.git"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", bare, env=git_env())
    (tmp_path / "allowed").write_text(dev.allowed_signers())
    hook = bare / "hooks" / "pre-receive"
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    script = readme.split("#!/bin/sh", 1)[1].split("```", 1)[0]
    hook.write_text("#!/bin/sh" + script.replace("/etc/modelsync/allowed_signers",
                                                 str(tmp_path / "allowed"))
                    .replace("modelsync verify", f"{BINARY} verify"))
    hook.chmod(0o755)
    repo = Repo.init(tmp_path / "tree", dev, bare)
    repo._settings["core.hooksPath"] = str(tmp_path / "no-hooks")
    repo.commit("first")
    repo.push()
    repo.commit("second")
    repo.push()
    good = repo.head()
    repo.commit("third", signer=stranger)
    with pytest.raises(Exception, match="UnknownSigner"):
        repo.push()
    assert run("git", "-C", bare, "rev-parse", "main", env=git_env()).strip() == good


def test_explain_version_help() -> None:
    listing = command("explain")
    for code in ("UnknownSigner", "PruneLimit", "KindUnknown"):
        assert code in listing
        assert "What to do" in command("explain", code)
    command("explain", "no-such-code", code=2)
    assert command("version").startswith("modelsync ")
    text_ = command("help")
    for name in ("run", "install", "check", "verify", "diff", "sync", "wait", "status", "explain",
                 "version"):
        assert f"  {name}" in text_
        assert "Usage: modelsync " + name in command(name, "--help") or name == "version"
    assert "git-fetch" not in text_


@pytest.mark.parametrize("words", [
    [], ["no-such-command"], ["status", "--no-such-flag"], ["wait"], ["sync"], ["diff"],
    ["status", "-o", "xml"], ["wait", "a", "--timeout", "soon"], ["check", "--output"],
    ["run", "--poll-interval", "fast"], ["run", "--no-such-setting", "1"], ["run", "operand"]])
def test_wrong_use_is_exit_code_2(words: list[str]) -> None:
    out = command(*words, code=2)
    assert out.strip()


def test_install_prints_and_installs(world: World) -> None:
    printed = command("install", "--dry-run", "--namespace", world.ns)
    assert "kind: CustomResourceDefinition" in printed and f"namespace: {world.ns}" in printed
    out = command("install", "--crds-only", "--kubeconfig", world.cluster.kubeconfig)
    assert "trustpolicies.modelsync.dev" in out
