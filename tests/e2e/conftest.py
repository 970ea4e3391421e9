"""Fixtures: one control plane and one forge for the session, one world for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import Cluster, Forge
from manifests import install_crds
from world import BINARY, World

_WORLD = pytest.StashKey[World]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(180))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report = yield
    world = item.stash.get(_WORLD, None)
    if world and world.agent and report.failed:
        report.sections.append(("agent", world.agent.tail(60)))
    return report


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    found = Cluster.start("e2e", audit=True)
    install_crds(found)
    return found


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge.start("e2e")


@pytest.fixture
def world(cluster: Cluster, forge: Forge, tmp_path: Path,
          request: pytest.FixtureRequest) -> Iterator[World]:
    assert BINARY.exists(), f"there is no {BINARY}: run make first"
    made = World(cluster, forge, tmp_path)
    request.node.stash[_WORLD] = made
    try:
        yield made
    finally:
        made.close()
