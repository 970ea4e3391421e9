#!/usr/bin/env python3
"""compile.py headers | warnings | tidy PROGRAM: what needs a compiler, two files at a time.

The command comes from compile_commands.json, which the Makefile makes, so flags stand in one place.
A file that was fine is remembered by a hash of itself, all headers of ours that it includes, the
flags and the checks' configuration; only what changed is looked at again.
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

CACHE = "build/lint"


def files(*globs):
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--deduplicate", "--", *globs],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(f for f in out.splitlines() if os.path.isfile(f))


def flags():
    """Compiler and flags of the build, without the file."""
    subprocess.run(["make", "-s", "compile_commands.json"], check=True, stdout=subprocess.DEVNULL)
    with open("compile_commands.json", encoding="utf-8") as f:
        words = shlex.split(json.load(f)[0]["command"])
    return [*words[: words.index("-c")], "-Itests", "-Itests/unit"]


def digest(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p if isinstance(p, bytes) else p.encode())
        h.update(b"\0")
    return h.hexdigest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def key(command, path, salt):
    """Changes with the file, each header of ours that it includes, `salt`; None: one is missing."""
    made = subprocess.run([*command, "-MM", path], capture_output=True, text=True, check=False)
    if made.returncode:
        return None
    names = made.stdout.split(":", 1)[1].replace("\\\n", " ").split()
    return digest(salt, *(n + digest(read(n)) for n in names))


def check(path, command, key_command, salt):
    """What is wrong with one file, or an empty text."""
    k = key(key_command, path, salt)
    stamp = k and os.path.join(CACHE, k)
    if stamp and os.path.exists(stamp):
        return ""
    out = subprocess.run(
        [w.replace("{}", path) for w in command], capture_output=True, text=True, check=False
    )
    if out.returncode:
        return out.stdout + "\n".join(
            x for x in out.stderr.splitlines() if "warnings generated" not in x
        )
    if stamp:
        with open(stamp, "w", encoding="ascii"):
            pass
    return ""


def run(paths, command, key_command):
    os.makedirs(CACHE, exist_ok=True)
    with open(".clang-tidy", encoding="utf-8") as f:
        salt = digest(f.read(), " ".join(command))
    with ThreadPoolExecutor(max_workers=2) as pool:
        bad = [x for x in pool.map(lambda p: check(p, command, key_command, salt), paths) if x]
    print("\n".join(bad))
    return 1 if bad else 0


def main():
    what = sys.argv[1]
    base = flags()
    ours = [f for f in files("agent/*.c") if not f.startswith("agent/validator/")]
    if what == "headers":
        heads = [f for f in files("agent/*.h") if not f.startswith("agent/validator/")]
        command = [
            *base,
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-function",
            "-fsyntax-only",
            "-x",
            "c",
            "-include",
            "{}",
            "/dev/null",
        ]
        return run(heads, command, [*base, "-x", "c"])
    if what == "warnings":
        tests = files("tests/unit/*.c", "tests/fuzz/*.c", "tests/faults/*.c")
        return run(ours + tests, [*base, "-Werror", "-c", "-o", "/dev/null", "{}"], base)
    if what == "tidy":
        arguments = [w for w in base[1:] if w not in ("-Werror", "-g")]
        ours.remove("agent/base/error.c")  # defines what analyzer.h wraps
        arguments += ["-include", "tests/lint/analyzer.h"]
        # A quarter of the analyzer's usual budget a function: a third of the time, same findings.
        arguments += ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=60000"]
        return run(ours, [sys.argv[2], "--quiet", "{}", "--", *arguments], base)
    print(__doc__)
    return 2


sys.exit(main())
