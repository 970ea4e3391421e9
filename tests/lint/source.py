#!/usr/bin/env python3
"""source.py layers | sizes | words | versions | chart: checks that read text only.

Prints one line a finding, path:line: what; exits 1 when there is any.
"""

import os
import re
import subprocess
import sys

# A folder of agent/ may include itself and what stands before it.
ORDER = (
    *("base", "value", "config", "net", "kube", "git", "trust", "desired", "health", "live"),
    *("plan", "apply", "fetch", "verdict", "gate", "model", "forge", "sync", "web", "cmd"),
    "validator",
)
FUNCTION_MAX = {"agent": 80, "tests": 160}  # tests keep their tables inside
FILE_MAX = {"agent": 600, "tests": 700}

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.~}-])/(?:wor" r"k|roo" r"t|hom" r"e/[a-z]\w*)/")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
REGISTRIES = re.compile(
    r"https?://[\w.-]*(?:py"
    r"pi\.org|python"
    r"hosted\.org|npm"
    r"js\.(?:org|com)|"
    r"proxy\.gol"
    r"ang\.org|sum\.gol"
    r"ang\.org|crat"
    r"es\.io|rubyg"
    r"ems\.org|"
    r"maven\.(?:org|apache)|hub\.doc"
    r"ker\.com)"
)
FLOATING = re.compile(r"^(?:latest|main|master|edge|stable|nightly|dev)$")
TEXT = (
    ".c",
    ".h",
    ".S",
    ".sh",
    ".py",
    ".go",
    ".mod",
    ".md",
    ".yaml",
    ".yml",
    ".json",
    ".txt",
    ".toml",
    ".service",
    ".sysusers",
    ".tpl",
    ".html",
    ".js",
    ".css",
    "",
)


def files(*globs):
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--deduplicate", "--", *globs],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(f for f in out.splitlines() if os.path.isfile(f) and not os.path.islink(f))


def lines(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()


def layers():
    """A folder includes only folders above it; private headers stay in their folder."""
    rank = {name: i for i, name in enumerate(ORDER)}
    for path in files("agent/*.[chS]"):
        parts = path.split("/")
        mine = parts[1] if len(parts) > 2 else "main"
        if mine != "main" and mine not in rank:
            yield f"{path}:1: folder {mine} has no place in the order"
            continue
        for n, line in enumerate(lines(path), 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found:
                continue
            folder, slash, name = found[1].partition("/")
            if not slash:
                yield f'{path}:{n}: include "{found[1]}": write it with its folder'
            elif folder not in rank:
                yield f'{path}:{n}: include "{found[1]}": no such folder'
            elif mine != "main" and rank[folder] > rank[mine]:
                yield f'{path}:{n}: {mine} includes "{found[1]}", which stands below it'
            elif name.endswith("_int.h") and folder != mine:
                yield f'{path}:{n}: "{found[1]}" is private to {folder}'


def sizes():
    """Functions and files that nobody wants to read."""
    for path in files("agent/*.[ch]", "tests/*.[ch]"):
        text = lines(path)
        start, most = None, FUNCTION_MAX[path.split("/")[0]]
        longest = FILE_MAX[path.split("/")[0]]
        if len(text) > longest:
            yield f"{path}:1: {len(text)} lines, at most {longest}"
        for n, line in enumerate(text, 1):
            if line == "{":
                start = n
            elif line == "}" and start:
                if n - start - 1 > most:
                    yield f"{path}:{start}: a function of {n - start - 1} lines, at most {most}"
                start = None


def words():
    """Paths of one machine, things left undone, hosts of package registries."""
    for path in files():
        if os.path.splitext(path)[1] not in TEXT or path.startswith("tests/fuzz/corpus/"):
            continue
        for n, line in enumerate(lines(path), 1):
            for what, pattern in (
                ("a path of one machine", MACHINE_PATHS),
                ("left undone", UNFINISHED),
                ("a package registry's host", REGISTRIES),
            ):
                found = pattern.search(line)
                if found:
                    yield f"{path}:{n}: {what}: {found[0]}"


def logical(path):
    """Lines of a requirements file with their continuations joined."""
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines(path)))
    return [
        x.strip() for x in whole.splitlines() if x.strip() and not x.lstrip().startswith(("#", "-"))
    ]


def pinned_image(value):
    """NAME@sha256:... or NAME:TAG with a tag that does not move."""
    if value == "__IMAGE__" or "{{" in value or "${" in value or "@sha256:" in value:
        return True
    _, colon, tag = value.rpartition(":")
    return bool(colon) and "/" not in tag and not FLOATING.match(tag)


MOVING = re.compile(
    r"go (?:install|get|run) \S+@(?:latest|master|main)\b"
    r"|pip3? install (?!.*(?:==|-r |--requirement))"
)
IMAGE = re.compile(r"""\s*(?:-\s+)?image:\s*["']?([^\s"'#{}]+)["']?\s*(?:#.*)?$""")
SHIPPED = ("charts/", "manifests-schema/", "examples-repo/")


def pins():
    """Files that name what is fetched."""
    for path in files("*requirements*.txt"):
        for line in logical(path):
            if "==" not in line or "--hash=sha256:" not in line:
                yield f"{path}:1: not pinned with a hash: {line.split()[0]}"
    for path in files("*go.mod"):
        if "require" in "\n".join(lines(path)) and not os.path.isfile(path[:-3] + "sum"):
            yield f"{path}:1: no go.sum beside it"
    for path in files("*package.json"):
        folder = os.path.dirname(path)
        locks = ("package-lock.json", "pnpm-lock.yaml")
        if not any(os.path.isfile(os.path.join(folder, x)) for x in locks):
            yield f"{path}:1: no lock file beside it"


def versions():
    """Whatever is fetched has one version, and its checksum stands beside it."""
    yield from pins()
    for path in files("*.sh", "*.py", "*.yaml", "*.yml", "Makefile", "*.go"):
        if path.startswith("tests/lint/"):
            continue
        whole = re.sub(r"\\\n", "  ", "\n".join(lines(path)))
        for n, line in enumerate(whole.splitlines(), 1):
            image = IMAGE.match(line)
            if image and path.startswith(SHIPPED) and not pinned_image(image[1]):
                yield f"{path}:{n}: image without a fixed tag: {image[1]}"
            if MOVING.search(line):
                yield f"{path}:{n}: fetches a version that moves"


def rules(path):
    """Groups and resources of the RBAC rules in a manifest or in the chart's values."""
    text = re.sub(r"[\"']", "", "\n".join(lines(path)))
    return re.findall(
        r"^- apiGroups: (\[.*\])\n  resources: (\[.*\])\n(?:  verbs: (\[.*\])\n)?", text, re.M
    )


def chart():
    """The chart's CRDs are the schema's, its version is ours, and its values are all described."""
    root = "charts/modelsync"
    for path in files("manifests-schema/*.yaml"):
        text = "\n".join(lines(path))
        copy = f"{root}/crds/{os.path.basename(path)}"
        if "kind: CustomResourceDefinition" not in text:
            continue
        if not os.path.isfile(copy) or "\n".join(lines(copy)) != text:
            yield f"{copy}:1: differs from {path}; run tests/lint/chart_crds.sh"
    for path in files(f"{root}/crds/*.yaml"):
        if not os.path.isfile(f"manifests-schema/{os.path.basename(path)}"):
            yield f"{path}:1: not in manifests-schema"
    install = rules("manifests-schema/install.yaml")
    shipped = rules(f"{root}/templates/rbac.yaml")
    managed = "[get, list, watch, create, patch, delete]"
    shipped += [(g, r, managed) for g, r, _ in rules(f"{root}/values.yaml")]
    for rule in set(install) ^ set(shipped):
        where = "install.yaml" if rule in install else "the chart"
        yield f"{root}/values.yaml:1: only {where} has the rule {' '.join(rule)}"
    version = next(x.split(":=")[1].strip() for x in lines("Makefile") if x.startswith("VERSION"))
    for field in ("version", "appVersion"):
        if not any(
            re.match(rf'{field}: "?{re.escape(version)}"?$', x) for x in lines(f"{root}/Chart.yaml")
        ):
            yield f"{root}/Chart.yaml:1: {field} is not the Makefile's {version}"
    values = "\n".join(lines(f"{root}/values.yaml"))
    schema = "\n".join(lines(f"{root}/values.schema.json"))
    for path in files(f"{root}/templates/*"):
        for n, line in enumerate(lines(path), 1):
            for name in re.findall(r"\.Values\.(\w+)", line):
                if not re.search(rf"^{name}:", values, re.M):
                    yield f"{path}:{n}: values.yaml has no {name}"
    for name in re.findall(r"^(\w+):", values, re.M):
        if f'"{name}"' not in schema:
            yield f"{root}/values.schema.json:1: says nothing about {name}"


def main():
    checks = {f.__name__: f for f in (layers, sizes, words, versions, chart)}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        print(__doc__)
        return 2
    found = list(checks[sys.argv[1]]())
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
