#!/bin/sh
# Runs the specs under valgrind's memcheck; `make valgrind` calls it. What takes long, and what other
# programs do, is left out.

unset MAKEFLAGS MFLAGS MAKELEVEL
[ -n "$SPEC$ARGS" ] || ARGS=--exclude-tags=slow,process

"$MAKE" BUILD=build-valgrind CFLAGS='-g -O1' SPEC="$SPEC" ARGS="$ARGS" UNDER='valgrind -q --error-exitcode=99 \
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=12' test
