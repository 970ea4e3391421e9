#!/bin/sh
# compile_commands.sh 'COMMAND' FILE...: a compilation database on stdout, for clangd and clang-tidy.
set -eu
# The caller's shell has taken the quotes of -DMODELSYNC_VERSION='"1.2.3"' away: put them back.
command=$(printf %s "$1" | sed "s/-DMODELSYNC_VERSION=\([0-9][0-9.]*\)/-DMODELSYNC_VERSION='\"\1\"'/" |
    sed 's/\\/\\\\/g; s/"/\\"/g')
shift
printf '['
separator=
for file; do
    printf '%s\n{"directory":"%s","file":"%s","command":"%s -c %s"}' "$separator" "$PWD" "$file" "$command" "$file"
    separator=,
done
printf '\n]\n'
