#!/usr/bin/env bash
# Everything that `make test` does, after `make deps`: lint, unit tests plain and with sanitizers,
# coverage, end to end on a real control plane and forge, plain and with sanitizers.
#
#   SAN=address,undefined in the environment runs only that variant of the tests.
#   ONLY="unit e2e" runs only these parts: lint unit san coverage e2e e2e-san bench-smoke
# A part that fails does not stop the others; the exit code is 1 when any failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

san=${SAN:-address,undefined}
parts=${ONLY:-${SAN:+san e2e-san}}
parts=${parts:-lint unit san coverage e2e e2e-san}
jobs=$(nproc)
results=()
failed=0
bin=$(tests/deps.sh venv) || exit 1
export PATH=$bin:$PATH
log=build/test-log
mkdir -p "$log"

part() # NAME COMMAND...
{
	local name=$1 start=$SECONDS verdict=ok
	shift
	[[ " $parts " == *" $name "* ]] || return 0
	printf '\n=== %s\n' "$name"
	"$@" || { verdict=FAILED; failed=1; }
	results+=("$(printf '%-9s %-6s %4d s' "$name" "$verdict" $((SECONDS - start)))")
}

# shellcheck disable=SC2317  # called through part()
e2e() # PROGRAM NAME
{
	local counts=$log/$2.txt
	MODELSYNC_BIN=$1 pytest -q -p no:cacheprovider -n "${E2E_WORKERS:-4}" \
		--maxfail "${E2E_MAXFAIL:-20}" tests/e2e 2>&1 | tee "$counts"
}

# shellcheck disable=SC2317
unit() # MAKE ARGUMENTS...
{
	make --no-print-directory -s -j"$jobs" "$@" all && make --no-print-directory -s -j"$jobs" "$@" check
}

# What the tests started goes with them (a demo in this checkout stays); KEEP=1 leaves it up.
clean_up()
{
	local tool name
	[ -z "${KEEP:-}" ] || return 0
	for tool in tests/cluster/cluster tests/forge/forge; do
		"$tool" status --json 2>/dev/null | jq -r '.[].name' | grep -E '^(e2e|bed)' |
			while read -r name; do "$tool" stop "$name" --clean >/dev/null 2>&1; done
	done
}
trap clean_up EXIT

# The test bed's programs take minutes to build on a new machine and nothing after that.
if [[ " $parts " == *" e2e "* || " $parts " == *" e2e-san "* ]]; then
	tests/cluster/cluster build >"$log/cluster-build.txt" || exit 1
	tests/forge/forge build >"$log/forge-build.txt" || exit 1
fi
part lint make --no-print-directory -s lint
part unit unit DEV=1
part san unit "SAN=$san" "CFLAGS=-O1 -g"
part coverage make --no-print-directory -s -j"$jobs" coverage
part e2e e2e build/modelsync e2e
part e2e-san e2e "build/san-${san//,/-}/modelsync" e2e-san

printf '\n=== summary\n'
printf '  %s\n' "${results[@]}"
echo "  total $SECONDS s"
if [ "$failed" = 0 ]; then
	echo "all parts passed"
else
	echo "SOMETHING FAILED"
fi
exit "$failed"
