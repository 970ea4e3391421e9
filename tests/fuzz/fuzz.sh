#!/usr/bin/env bash
# Fuzzes with libFuzzer: tests/fuzz/fuzz.sh SECONDS NAME...
# Builds tests/fuzz/NAME_fuzz.c under build/fuzz-libfuzzer with the address and undefined-behaviour
# sanitizers, starts from tests/fuzz/corpus/NAME, and keeps what it finds in
# build/fuzz-libfuzzer/NAME.corpus. Exits 1 when a target crashed, and says on what.
set -eu

seconds=${1:?usage: tests/fuzz/fuzz.sh SECONDS NAME...}
shift
cd "$(dirname "$0")/../.."
dir=build/fuzz-libfuzzer
cc=${FUZZ_CC:-clang-14}
flags='-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'
bad=0

if ! command -v "$cc" >/dev/null; then
	echo "fuzz.sh: $cc is missing: apt-get install clang-14, or set FUZZ_CC" >&2
	exit 1
fi
objects=$(printf " $dir/obj/tests/fuzz/%s_fuzz.o" "$@")
# shellcheck disable=SC2086 # a list of files
make -s B="$dir" CC="$cc" CFLAGS="$flags" "$dir/libmodelsync.a" $objects
read -ra libs <<<"$(sed -n 's/^LIBS *:= *//p' Makefile)"
read -ra link <<<"$(pkg-config --libs "${libs[@]}") -lm"

for name in "$@"; do
	mkdir -p "$dir/$name.corpus"
	"$cc" -fsanitize=fuzzer,address,undefined -o "$dir/$name" "$dir/obj/tests/fuzz/${name}_fuzz.o" \
		"$dir/libmodelsync.a" "${link[@]}"
	dict=()
	if [ -f "tests/fuzz/$name.dict" ]; then
		dict=("-dict=tests/fuzz/$name.dict")
	fi
	if "$dir/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
		-print_final_stats=1 -artifact_prefix="$dir/$name-" "${dict[@]}" "$dir/$name.corpus" \
		"tests/fuzz/corpus/$name" >"$dir/$name.log" 2>&1; then
		printf 'ok     %-20s %s runs\n' "$name" \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$name.log")"
	else
		bad=1
		printf 'FAILED %-20s\n' "$name"
		grep -v '^#' "$dir/$name.log" | tail -n 40
		echo "    again: $dir/$name $dir/$name-..., as named above"
	fi
done
exit "$bad"
