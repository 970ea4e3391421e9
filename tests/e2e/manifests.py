"""Objects as a user would write them: manifests for repositories, and our own kinds."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from bed import TESTS, Cluster, run, wait_until

Json = dict[str, Any]
SCHEMAS = TESTS.parent / "manifests-schema"
GROUP = "modelsync.dev/v1alpha1"
API = "/apis/modelsync.dev/v1alpha1"


def text(*objects: Json) -> str:
    """A manifest file. JSON is YAML."""
    return "\n---\n".join(json.dumps(o, indent=1) for o in objects) + "\n"


def config_map(name: str, /, namespace: str = "", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name, namespace),
            "data": data}


def secret(name: str, namespace: str = "", labels: dict[str, str] | None = None,
           **data: str) -> Json:
    coded = {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}
    meta = {**_meta(name, namespace), **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": coded}


def service_account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name)}


def service(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name),
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}}


def deployment(name: str, replicas: int = 0) -> Json:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(name),
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [
                                      {"name": "main", "image": "registry.example.com/none:1"}]}}}}


def custom_definition(group: str, kind: str) -> Json:
    plural = kind.lower() + "s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": _meta(f"{plural}.{group}"),
            "spec": {"group": group, "scope": "Namespaced",
                     "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                     "versions": [{"name": "v1", "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": schema}}]}}


def _meta(name: str, namespace: str = "") -> Json:
    return {"name": name, **({"namespace": namespace} if namespace else {})}


# ---- ours ------------------------------------------------------------------------------------


def trust_policy(namespace: str, allowed: str, **more: Any) -> Json:
    return {"apiVersion": GROUP, "kind": "TrustPolicy", "metadata": _meta("default", namespace),
            "spec": {"allowedSigners": allowed, "firstTrust": {"wholeHistory": True}, **more}}


def repository(namespace: str, url: str, **data: str) -> Json:
    """The Secret with a repository's credentials."""
    return secret("repository", namespace, {"modelsync.dev/secret-type": "repository"},
                  url=url, **data)


def application(namespace: str, name: str, repo_url: str, target: str, **spec: Any) -> Json:
    """Automated, with prune and self-heal; `spec` replaces whole fields, but adds to source."""
    source = {"repoURL": repo_url, "targetRevision": "main", "path": "app",
              **spec.pop("source", {})}
    return {"apiVersion": GROUP, "kind": "Application", "metadata": _meta(name, namespace),
            "spec": {"source": source,
                     "destination": {"namespace": target},
                     "syncPolicy": {"automated": {"prune": True, "selfHeal": True},
                                    "retry": {"backoff": {"duration": "1s", "maxDuration": "2s"}}},
                     "interval": "1s", **spec}}


def crd_files() -> list[Path]:
    return [f for f in sorted(SCHEMAS.glob("*.yaml"))
            if "\nkind: CustomResourceDefinition\n" in f.read_text()]


def install_crds(cluster: Cluster) -> None:
    """The CRDs of this tree into a cluster of the test bed."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    names = []
    for file in crd_files():
        name = re.search(r"^  name: (\S+)$", file.read_text(), re.MULTILINE)
        assert name, f"{file} has no name"
        names.append(name[1])
        cluster.api("PATCH", f"{path}/{name[1]}?fieldManager=test&force=true", file.read_text(),
                    "application/apply-patch+yaml")

    def established(name: str) -> bool:
        conditions = cluster.api("GET", f"{path}/{name}")["status"]["conditions"]
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    for name in names:
        wait_until(lambda name=name: established(name), 30, f"CRD {name} to be established")


def key_pair(folder: Path, name: str) -> tuple[str, str]:
    """A new SSH key: private and public text."""
    path = folder / name
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path)
    return path.read_text(), path.with_name(name + ".pub").read_text().strip()
