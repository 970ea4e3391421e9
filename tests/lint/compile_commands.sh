#!/bin/sh
# compile_commands.sh 'COMMAND' FILE...: a compilation database on stdout, for clangd and clang-tidy.
set -eu
command=$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')
shift
printf '['
separator=
for file; do
    printf '%s\n{"directory":"%s","file":"%s","command":"%s -c %s"}' "$separator" "$PWD" "$file" "$command" "$file"
    separator=,
done
printf '\n]\n'
