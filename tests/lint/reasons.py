#!/usr/bin/env python3
"""Every reason code that the program can give stands in the tables behind `explain` and the docs,
and docs/reference/ is what `make docs` would write."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RAISED = re.compile(r'error_reason\(\s*[^;]*?ERROR_\w+,\s*"(\w+)"|'
                    r'problems?_add\(\s*[^;]*?,\s*"([A-Z]\w+)",|'
                    r'app_note\(\s*\w+,\s*\w+,\s*"(\w+)"')


def main() -> int:
    tables = (ROOT / "agent/cmd/reasons.c").read_text() + \
        (ROOT / "agent/trust/refusal.c").read_text()
    known = set(re.findall(r'\{\s*"(\w+)",', tables))
    bad = 0
    for file in sorted((ROOT / "agent").glob("*/*.c")):
        for match in RAISED.finditer(file.read_text()):
            code = next(g for g in match.groups() if g)
            if code not in known:
                print(f"{file.relative_to(ROOT)}: reason {code} is not in agent/cmd/reasons.c")
                bad += 1
    program = ROOT / "build" / "modelsync"
    for page in ("settings", "reasons", "commands") if program.exists() else ():
        made = subprocess.run([program, "reference", page], capture_output=True, text=True,
                              check=True).stdout
        if made != (ROOT / "docs" / "reference" / f"{page}.md").read_text():
            print(f"docs/reference/{page}.md differs from what `make docs` writes")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
