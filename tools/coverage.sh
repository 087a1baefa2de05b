#!/bin/sh
# Runs the specs on a build that counts which lines ran, and prints the share of each C file;
# `make coverage` calls it and says below which per cent (FLOOR) it fails.

unset MAKEFLAGS MFLAGS MAKELEVEL
build=build-coverage
flags='-g -O0 --coverage'
"$MAKE" BUILD="$build" CFLAGS="$flags" all || exit 1

# Counts are for every process to add to, those too that have given their privileges up.
for file in "$build"/*.gcno "$build"/*/*.gcno; do
  : >"${file%.gcno}.gcda"
  chmod a+w "${file%.gcno}.gcda"
done

"$MAKE" BUILD="$build" CFLAGS="$flags" SPEC="$SPEC" ARGS="$ARGS" test
status=$?

gcov=$(${CC:-cc} -print-prog-name=gcov)
for file in csrc/*.c csrc/*/*.c; do
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
