#!/bin/sh
# Runs the specs under valgrind's memcheck; `make valgrind` calls it. What takes long, and what other
# programs do, is left out.

unset MAKEFLAGS MFLAGS MAKELEVEL
[ -n "$SPEC$ARGS" ] || ARGS=--exclude-tags=slow,process

memcheck='valgrind -q --error-exitcode=99 --suppressions=tools/valgrind.supp --num-callers=12
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite'
export BSDSOCKET_INSTRUMENTED=valgrind
"$MAKE" BUILD=build-valgrind CFLAGS='-g -O1' SPEC="$SPEC" ARGS="$ARGS" UNDER="$(echo $memcheck)" test
