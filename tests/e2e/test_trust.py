"""Commits that are not trusted: nothing of them is applied, the reason stands on the commit, and
what was trusted last is still healed."""

from __future__ import annotations

import pytest

import manifests
from bed import Signer, run
from manifests import config_map, text
from world import World


def good_start(world: World) -> str:
    world.use_forge()
    world.start()
    sha = world.push_maps("a", "b")
    world.synced(sha)
    return sha


def assert_refused(world: World, sha: str, code: str) -> None:
    """The head is refused, says so on the commit, once, and changes nothing."""
    before = world.versions()
    assert "commit" in world.refused(sha, code)
    world.wait(lambda: world.commit_state(sha) == "failure", "failure on the commit")
    assert code in world.commit_words(sha)
    assert world.versions() == before
    assert world.condition("Trusted")["status"] == "False"
    assert world.condition("Stalled")["status"] == "True"
    assert world.events(code)
    world.heals("a")
    world.delete("b")
    world.wait(lambda: world.value("b") == "1", "b to be back")
    assert [s["status"] for s in world.forge.statuses(world.repo_name, sha)
            if s["context"] == world.context].count("failure") == 1


def change(world: World, signer: Signer | None = None, sign: bool = True) -> str:
    return world.push({"app/a.yaml": text(config_map("a", k="evil")),
                       "app/c.yaml": text(config_map("c", k="evil"))}, remove=["app/b.yaml"],
                      signer=signer, sign=sign)


def test_unsigned(world: World) -> None:
    good_start(world)
    assert_refused(world, change(world, sign=False), "Unsigned")


def test_stranger_and_the_way_back(world: World) -> None:
    good = good_start(world)
    bad = change(world, world.stranger)
    assert_refused(world, bad, "UnknownSigner")
    # a good commit on top does not vouch for what is below it
    on_top = world.push_maps("d")
    assert_refused(world, on_top, "UnknownSigner")
    world.repo.git("reset", "--quiet", "--hard", good)
    again = world.repo.commit("on from the trusted one")
    world.repo.push(force=True)
    world.synced(again)
    assert world.names() == ["a", "b"]


def test_stranger_becomes_trusted(world: World) -> None:
    good_start(world)
    sha = change(world, world.stranger)
    world.refused(sha, "UnknownSigner")
    world.policy(world.dev.allowed_signers() + world.stranger.allowed_signers())
    world.synced(sha)
    assert world.value("a") == "evil" and world.names() == ["a", "c"]
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")


def test_forced_push_is_refused(world: World) -> None:
    good = good_start(world)
    second = world.push_maps(a="2")
    world.synced(second)
    world.repo.git("reset", "--quiet", "--hard", good)
    rewritten = world.push_forced({"app/c.yaml": text(config_map("c", k="1"))})
    message = world.refused(rewritten, "NotFastForward")
    assert second[:7] in message
    world.wait(lambda: world.commit_state(rewritten) == "failure", "failure on the commit")
    world.heals("a", "2")
    assert world.names() == ["a", "b"]
    # rewinding alone is refused, too
    world.repo.git("reset", "--quiet", "--hard", good)
    world.repo.push(force=True)
    world.refused(good, "NotFastForward")
    assert world.value("a") == "2"


def test_revoked_key(world: World) -> None:
    world.use_forge(policy=False)
    both = world.dev.allowed_signers() + world.stranger.allowed_signers()
    world.policy(both)
    world.start()
    world.synced(world.push_maps("a", "b"))
    world.policy(both, revokedKeys=world.stranger.public_key + "\n")
    assert_refused(world, change(world, world.stranger), "KeyRevoked")


def test_key_that_is_no_longer_valid(world: World) -> None:
    world.use_forge(policy=False)
    old = Signer("old", world.folder)
    world.policy(world.dev.allowed_signers()
                 + old.allowed_signers('namespaces="git",valid-before="20200101Z"'))
    world.start()
    world.synced(world.push_maps("a", "b"))
    assert_refused(world, change(world, old), "KeyExpired")


def test_no_policy_then_one(world: World) -> None:
    world.use_forge(policy=False)
    world.start()
    sha = world.push_maps("a")
    message = world.refused(sha, "NoPolicy")
    assert "default" in message and world.ns in message
    world.wait(lambda: world.commit_state(sha) == "failure", "failure on the commit")
    assert world.names() == []
    world.policy()
    world.synced(sha)
    world.wait(lambda: world.commit_state(sha) == "success", "success on the commit")


def test_policy_that_says_more_than_is_checked_trusts_nobody(world: World) -> None:
    world.use_folder(policy=False)
    world.policy(rules=[{"paths": ["app/**"], "groups": ["ops"]}])
    world.start()
    sha = world.push_maps("a")
    assert "rules" in world.refused(sha, "PolicyInvalid")
    assert world.names() == []
    world.policy()      # applied by the same manager: `rules` goes
    world.synced(sha)


def test_policy_that_names_no_beginning(world: World) -> None:
    world.use_folder(policy=False)
    policy = manifests.trust_policy(world.ns, world.dev.allowed_signers())
    del policy["spec"]["firstTrust"]
    world.put(policy)
    world.start()
    sha = world.push_maps("a")
    world.refused(sha, "NoTrustRoot")
    world.policy(firstTrust={"commit": sha})
    world.synced(sha)


@pytest.mark.parametrize("kind", ["other-namespace", "other-key-type"])
def test_signatures_of_another_sort(world: World, kind: str) -> None:
    good_start(world)
    if kind == "other-namespace":
        world.policy(world.dev.allowed_signers('namespaces="file"'))
        sha = change(world)
        assert '"git"' in world.refused(sha, "BadNamespace")
    else:
        key = world.folder / "key-rsa"
        run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key)
        sha = change(world, Signer("rsa", world.folder))
        assert "RSA" in world.refused(sha, "UnsupportedSignature")
    assert world.value("a") != "evil"
