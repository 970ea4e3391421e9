#!/usr/bin/env bash
# Runs the unit tests and replays the fuzz corpora: tests/unit/run.sh BUILD_DIR
# Two programs at a time, one line each, output only of those that failed. The last line is
# "N passed, N failed", counted in test functions; a program that crashes, and a corpus that
# does not replay, counts as one failed test. A program that skips tests is marked so.
set -u

build=${1:?usage: tests/unit/run.sh BUILD_DIR}
here=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export build here out

# One program: writes $out/NAME.{log,count} and prints its line.
run_one()
{
	local kind=$1 name=$2 start rc passed failed skipped ms verdict=ok
	local log=$out/$kind.$name.log
	start=$(date +%s%N)
	if [ "$kind" = unit ]; then
		CMOCKA_MESSAGE_OUTPUT=STDOUT timeout 120 "$build/unit/$name" >"$log" 2>&1
	else
		timeout 120 "$build/fuzz/$name" "$here/fuzz/corpus/$name" >"$log" 2>&1
	fi
	rc=$?
	ms=$((($(date +%s%N) - start) / 1000000))
	passed=$(grep -c '^\[       OK \]' "$log")
	failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
	failed=${failed:-0}
	skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | head -n 1)
	skipped=${skipped:-0}
	if [ "$kind" = fuzz ] && [ "$rc" -eq 0 ]; then
		passed=1
	fi
	if [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then
		failed=1
	fi
	if [ "$skipped" -ne 0 ]; then
		verdict=skips
	fi
	if [ "$failed" -ne 0 ] || [ "$rc" -ne 0 ]; then
		verdict=FAILED
	fi
	echo "$passed $failed $skipped" >"$out/$kind.$name.count"
	printf '%-6s %-36s %3d passed %3d failed %6d ms\n' "$verdict" "$kind/$name" "$passed" \
		"$failed" "$ms"
	if [ "$verdict" = FAILED ]; then
		sed 's/^/    /' "$log"
		echo "    exit code $rc"
	fi
}
export -f run_one

list()
{
	local kind=$1 f
	for f in "$build/$kind"/*; do
		if [ -f "$f" ] && [ -x "$f" ]; then
			printf '%s %s\n' "$kind" "$(basename "$f")"
		fi
	done
}

{ list unit && list fuzz; } | xargs -r -P 2 -L 1 bash -c 'run_one "$@"' run_one
cat "$out"/*.count 2>/dev/null | awk '{p += $1; f += $2; s += $3} END {
	printf "%d passed, %d failed", p, f
	if (s)
		printf ", %d skipped", s
	printf "\n"
	exit f || !p
}'
