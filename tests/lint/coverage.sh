#!/bin/sh
# coverage.sh BUILD: line coverage by folder of agent/, from what the programs of a COV=1 build left.
set -eu
build=${1:?usage: tests/lint/coverage.sh BUILD_DIR}
cd "$(dirname "$0")/../.."
[ -n "$(find "$build/obj/agent" -name '*.gcda' -print -quit)" ] || { echo "coverage.sh: nothing was run in $build: make COV=1 check" >&2; exit 1; }

# Per file: "File 'agent/x/y.c'", then "Lines executed:87.50% of 16". Files no program has loaded
# (no .gcda) count with none of their lines executed.
find "$build/obj/agent" -name '*.gcno' -exec gcov -n -r -s "$PWD" {} + 2>/dev/null | awk -F"[':% ]+" '
    /^File / { file = $2; next }
    /^Lines executed/ && file ~ /^agent\/.*\.c$/ {
        split(file, part, "/"); folder = part[3] ? part[2] : "main"
        if (file in total) { if ($3 > percent[file]) percent[file] = $3 }
        else { percent[file] = $3; total[file] = $5; of[file] = folder }
        file = ""
    }
    END {
        for (f in total) { l[of[f]] += total[f]; h[of[f]] += total[f] * percent[f] / 100 }
        printf "%-12s %8s %8s %7s\n", "folder", "lines", "run", ""
        n = split("base value config net kube git trust desired health live plan apply fetch verdict gate model forge sync web cmd main", order, " ")
        for (i = 1; i <= n; i++) {
            k = order[i]
            if (!l[k]) continue
            printf "%-12s %8d %8d %6.1f%%\n", k, l[k], h[k] + 0.5, 100 * h[k] / l[k]
            lines += l[k]; hit += h[k]
        }
        printf "%-12s %8d %8d %6.1f%%\n", "all", lines, hit + 0.5, lines ? 100 * hit / lines : 0
    }'
