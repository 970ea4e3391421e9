#!/usr/bin/env bash
# lint.sh [CHECK...]: all checks, or the named ones. One line each: ok or FAILED, and what is wrong.
# What was checked and has not changed since is remembered in build/lint, so a second run is fast.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
here=tests/lint
tool=14 # of clang-format and clang-tidy: another version formats and finds other things
failed=0

# Files of the repository, also those not committed yet: files GLOB...
files() { git ls-files -co --exclude-standard --deduplicate -- "$@" | while read -r f; do
    [ -f "$f" ] && printf '%s\n' "$f"; done; }

# Scripts in a language, by name or by their first line: scripts EXTENSION INTERPRETERS
scripts() {
    files "*.$1"
    files | grep -v '\.[a-zA-Z0-9]*$' | while read -r f; do
        head -c 80 "$f" | head -n 1 | grep -aqE "^#!.*[/ ]($2)( |\$)" && printf '%s\n' "$f"; done; true; }

need() { command -v "$1" >/dev/null || { echo "$1 is missing: apt-get install $2"; return 1; }; }

check_layers() { python3 $here/source.py layers; }
check_sizes() { python3 $here/source.py sizes; }
check_words() { python3 $here/source.py words; }
check_versions() { python3 $here/source.py versions; }
check_python() {
    local ruff
    ruff=$(tests/deps.sh venv 2>/dev/null)/ruff
    [ -x "$ruff" ] || { echo "the tests' Python environment is missing: tests/deps.sh install"; return 1; }
    "$ruff" check --quiet --no-cache --output-format concise tests
}
check_reasons() { python3 $here/reasons.py; }
check_chart() { python3 $here/source.py chart; }
check_headers() { python3 $here/compile.py headers; }
check_warnings() { python3 $here/compile.py warnings; }
check_tidy() { need clang-tidy-$tool clang-tidy-$tool && python3 $here/compile.py tidy clang-tidy-$tool; }
check_format() {
    need clang-format-$tool clang-format-$tool || return 1
    files 'agent/*.[ch]' 'tests/*.[ch]' | xargs clang-format-$tool --dry-run -Werror 2>&1 |
        sed -n 's/:[0-9]*:[0-9]*: error:.*/: not formatted/p' | sort -u
    return "${PIPESTATUS[1]}"
}
check_shell() {
    need shellcheck shellcheck || return 1
    scripts sh 'sh|bash|dash' | xargs -r shellcheck -x -S warning -f gcc
}
# A unit that systemd reads without a word, and that fences off what it can. Level: 0 best, 10 worst.
check_unit() {
    local unit out
    command -v systemd-analyze >/dev/null || { echo "not checked: no systemd-analyze here"; return 0; }
    mkdir -p build/lint
    unit=$PWD/build/lint/modelsync.service
    sed 's|^ExecStart=/usr/bin/modelsync|ExecStart=/bin/true|' systemd/modelsync.service >"$unit"
    out=$(systemd-analyze verify --man=no "$unit" 2>&1)
    [ -z "$out" ] || { echo "$out"; return 1; }
    systemd-analyze security --offline=yes --no-pager --threshold=15 "$unit" >"$unit.level" 2>&1 ||
        { tail -n 1 "$unit.level" && echo "wanted: at most 1.5"; return 1; }
}

run() {
    local start out
    start=$(date +%s%N)
    if out=$("check_$1" 2>&1); then
        printf 'ok      %-10s %6d ms  %s\n' "$1" $((($(date +%s%N) - start) / 1000000)) "$out"
    else
        printf 'FAILED  %-10s %6d ms\n' "$1" $((($(date +%s%N) - start) / 1000000))
        printf '%s\n' "$out" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

main() {
    [ $# -gt 0 ] || set -- layers headers format sizes words versions shell python chart reasons unit warnings tidy
    for check; do
        declare -F "check_$check" >/dev/null || { echo "lint.sh: no check is called $check"; exit 2; }
        run "$check"
    done
    [ $failed -eq 0 ] || { echo "$failed of $# checks failed"; exit 1; }
}
main "$@"
exit 0
