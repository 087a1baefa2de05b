#!/bin/sh
# Runs specs and the programs of fault/ in a Lua made for finding mistakes, `make hard` calls it: built from source with
#   LUA_USE_APICHECK   each use of the C API is checked: elements and room on the stack, indices
#   HARDSTACKTESTS     the stack moves wherever it might
#   HARDMEMTESTS       all garbage is collected wherever some might be: too slow for busted, so only for fault/
# and the address sanitizer, which finds who uses what has moved or gone. docs/lua.md tells what that is about.

unset MAKEFLAGS MFLAGS MAKELEVEL
build=build-hard
flags='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1'
passed=0 failed=0 skipped=0

for source in ${LUA_SOURCE:-"$PWD/$build"/source/*/src}; do :; done
bin=$PWD/$build/bin
mkdir -p "$bin"

# lua NAME -DX...: builds that, once
lua() {
  name=$1
  shift
  [ -x "$bin/$name" ] && [ "$bin/$name" -nt "$source/lapi.c" ] && return
  echo "hard: builds $name: $*"
  mkdir -p "$bin/$name.o" &&
    (cd "$source" && ls l*.c) | grep -vx 'luac\.c' |
    xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} "${CC:-cc}" -std=gnu99 -g -O1 -fsanitize=address \
      -fno-omit-frame-pointer -DLUA_USE_POSIX -DLUA_USE_DLOPEN "$@" -c -o "$bin/$name.o/{}.o" "$source/{}" &&
    "${CC:-cc}" -fsanitize=address -Wl,-E -o "$bin/$name" "$bin/$name.o"/*.o -lm -ldl
}

lua lua5.4 -DLUA_USE_APICHECK -DHARDSTACKTESTS &&
  lua collects -DLUA_USE_APICHECK -DHARDSTACKTESTS -DHARDMEMTESTS &&
  LUA_INCDIR=$source "$MAKE" BUILD="$build" CFLAGS="$flags" all || exit 1

rm -f "$build"/report.*
report=exitcode=66:log_path=$PWD/$build/report
export UBSAN_OPTIONS=$report:print_stacktrace=1
export ASAN_OPTIONS=$report:allocator_may_return_null=1:strict_string_checks=1:detect_leaks=0
export BSDSOCKET_INSTRUMENTED=asan LUA_INCDIR="$source"

run() {
  if output=$(LUA_PATH_5_4="$PWD/lua/?.lua;$PWD/lua/?/init.lua" LUA_CPATH_5_4="$PWD/$build/?.so" "$bin/$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok: $*"
  else
    failed=$((failed + 1))
    printf 'not ok: %s\n%s\n' "$*" "$output"
  fi
}

if [ -z "$SPEC$ARGS" ]; then
  run lua5.4 fault/stack.lua 60
  run collects fault/stack.lua 25
  run collects fault/chaos.lua 1
  run lua5.4 fault/chaos.lua 2
  for name in below/error below/memory below/regression below/signal below/thread call/closed call/connection \
    call/option call/poller call/resolve call/select call/send_receive call/socket call/unixpath call/util loop/cancel \
    loop/error loop/loop loop/memory loop/signal loop/waiter loop/wrap message/sendmsg_recvmsg object/address \
    object/buffer object/control object/intern object/transport stream/read; do
    SPEC="$SPEC spec/${name}_spec.lua"
  done
  # deep: to move a stack of a million slots at each call takes too long.
  # parser: Lua 5.4.4's own, where memory runs out while its stack moves.
  ARGS=--exclude-tags=strace,deep,parser
fi
log=$build/log
{
  LUA=$bin/lua5.4 "$MAKE" BUILD="$build" CFLAGS="$flags" SPEC="$SPEC" ARGS="$ARGS" test 2>&1
  echo "status $?"
} | tee "$log"
status=$(LC_ALL=C sed -n '$s/^status //p' "$log")
sum=$(grep -aE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
if [ -n "$sum" ]; then
  # shellcheck disable=SC2086 # "1 passed, 2 failed, 3 skipped"
  set -- $sum
  passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
fi
[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
for file in "$build"/report.*; do
  if grep -qs 'ERROR: \|runtime error: ' "$file"; then
    failed=$((failed + 1))
    cat "$file"
  fi
done

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
