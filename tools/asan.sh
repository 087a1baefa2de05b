#!/bin/sh
# Runs the specs with the address, leak and undefined-behaviour sanitizers; `make asan` calls it.

unset MAKEFLAGS MFLAGS MAKELEVEL
build=build-asan
flags='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1'

lua=$(sh tools/find.sh lua) && real=$(command -v "$lua") || exit 1
"$MAKE" BUILD="$build" CFLAGS="$flags" all || exit 1

# The runtime that core.so was linked to; it has to be loaded before everything else.
runtime=$(ldd "$build/bsdsocket/core.so" | sed -n 's/.*libasan[^ ]* => \([^ ]*\).*/\1/p')
if [ -z "$runtime" ]; then
  echo "asan: $build/bsdsocket/core.so is not linked to a libasan; is CC=$CC a gcc?" >&2
  exit 1
fi
case $real in /*) ;; *) real=$PWD/$real ;; esac
bin=$PWD/$build/bin
mkdir -p "$bin"
${CC:-cc} -shared -fPIC -DPRELOADED -o "$bin/preloaded.so" tools/sanitized.c &&
  ${CC:-cc} -DREAL="\"$real\"" -DPRELOAD="\"$runtime $bin/preloaded.so\"" -o "$bin/lua5.4" tools/sanitized.c ||
  exit 1
name=${real##*/}
[ "$name" = lua5.4 ] || cp "$bin/lua5.4" "$bin/$name"

# Reports go to files: a spec may well swallow what its child says. A request for more memory than there
# is has to fail as malloc does, not end the process.
rm -f "$build"/report.*
report=exitcode=66:log_path=$PWD/$build/report
options=$report:allocator_may_return_null=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=$report:print_stacktrace=1
# A thread that looks names up keeps the addresses of its name servers until it has ended. Leaks are looked for at the
# end of the program, and if a helper thread of ours is about to end just then, nothing refers to them any more.
echo 'leak:__res_context_send' >"$build/suppressions"
export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/$build/suppressions
# Leaks are looked for with ptrace, which some containers forbid.
if ASAN_OPTIONS=$options:detect_leaks=1 "$bin/lua5.4" -e ''; then
  export ASAN_OPTIONS=$options:detect_leaks=1
else
  echo 'asan: this system does not let leaks be looked for; everything else is'
  export ASAN_OPTIONS=$options:detect_leaks=0
  rm -f "$build"/report.*
fi

export BSDSOCKET_INSTRUMENTED=asan
log=$build/log
status=0 passed=0 failed=0 skipped=0

# Nobody finds leaks in a process that strace looks at already.
run() {
  { PATH=$bin:$PATH LUA=$bin/lua5.4 "$MAKE" BUILD="$build" CFLAGS="$flags" SPEC="$1" \
    ARGS="${ARGS:---exclude-tags=strace}" test 2>&1 || echo "failed: $1"; } | tee "$log"
  ! grep -q '^failed: ' "$log" || status=1
  counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
  read -r p f s <<COUNTS
${counts:-0 1 0}
COUNTS
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# All of them in one process would make a heap so large that what is said of time no longer holds. In those of the house
# (the Makefile, the rock, the installation, the benchmark) nothing of the library runs.
if [ -n "$SPEC$ARGS" ]; then
  run "$SPEC"
else
  for part in 0 1 2 3; do
    run "$(ls spec/*/*_spec.lua | grep -v '/vm/\|/\(makefile\|rockspec\|deps\|bench\|docs\)_spec' |
      awk -v part="$part" 'NR % 4 == part' | tr '\n' ' ')"
  done
  echo "$passed passed, $failed failed, $skipped skipped"
fi
# Warnings are in them too, such as that there is not as much memory as a spec asked for.
for file in "$build"/report.*; do
  if grep -qs 'ERROR: \|runtime error: ' "$file"; then
    status=1
    cat "$file"
  fi
done
exit "$status"
