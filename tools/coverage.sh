#!/bin/sh
# Runs the specs on a build that counts which lines ran, and prints the share of each C file;
# `make coverage` calls it and says below which per cent (FLOOR) it fails.

unset MAKEFLAGS MFLAGS MAKELEVEL
build=build-coverage
rm -f "$build"/*.gcda
# Specs that give their privileges up cannot write the counts of that process, and are not to hear of it.
export GCOV_ERROR_FILE=/dev/null

"$MAKE" BUILD="$build" CFLAGS='-g -O0 --coverage' SPEC="$SPEC" ARGS="$ARGS" test
status=$?

gcov=$(${CC:-cc} -print-prog-name=gcov)
for file in csrc/*.c; do
  name=${file#csrc/}
  "$gcov" -n -o "$build/${name%.c}.o" "$file" 2>/dev/null
done | awk -v floor="$FLOOR" '
  /^File / { file = $2; gsub(/\047/, "", file) }
  /^Lines executed:/ {
    if (file ~ /^csrc\/.*\.c$/) {
      split($0, part, /[:% ]+/)
      printf "%6.1f %%  %5d lines  %s\n", part[3], part[5], file
      lines += part[5]; run += part[3] * part[5] / 100
    }
    file = ""
  }
  END {
    share = lines ? 100 * run / lines : 0
    printf "%6.1f %%  %5d lines  in all; at least %s %% is asked for\n", share, lines, floor
    exit share < floor
  }' && exit "$status"
