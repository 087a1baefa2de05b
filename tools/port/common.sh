# What the parts of `make port` share.

work=$PWD/build-port
mirror=${MIRROR:-http://deb.debian.org/debian}

count_passed=0 count_failed=0 count_skipped=0

# check NAME COMMAND...: one check, by the command's status
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    count_passed=$((count_passed + 1))
    echo "ok: $name"
  else
    count_failed=$((count_failed + 1))
    printf 'not ok: %s\n%s\n' "$name" "$output"
  fi
}

leave_out() {
  count_skipped=$((count_skipped + 1))
  echo "1 skipped: $1"
}

counts() {
  echo "$count_passed passed, $count_failed failed, $count_skipped skipped"
  [ "$count_failed" = 0 ]
}

# once NAME COMMAND...: makes build-port/NAME, unless an earlier run has
once() {
  local name=$1
  shift
  [ -f "$work/$name/.made" ] && return
  rm -rf "${work:?}/$name" && mkdir -p "$work/$name" && "$@" "$work/$name" && touch "$work/$name/.made"
}

# The source of a package of Debian's, in build-port/source/PACKAGE
source_of() {
  local package
  for package; do once "source/$package" unpack "$package" || return; done
}

# Where Debian's Lua looks for its modules is no business of another system's.
unpack() {
  sh tools/source.sh "$1" "$2" || return
  sed -i '/deb-multiarch/d; s/ *DEB_HOST_MULTIARCH//' "$2"/*/src/luaconf.h 2>/dev/null || :
}

# Lua, and what busted needs in C, made from Debian's sources by $CC in build-port/KIND.
lua_for() {
  kind=$1
  source_of lua5.4 lua-filesystem && once "$kind" make_lua
}

make_lua() {
  local to=$1 src
  src=$(ls -d "$work"/source/lua5.4/*/src) || return
  cp "$src"/*.[ch] "$to" && (
    cd "$to" || exit
    rm -f luac.c
    $CC $CPPFLAGS -O1 -std=gnu99 -DLUA_USE_POSIX -DLUA_USE_DLOPEN -Wl,-E -o lua ./*.c -lm -ldl
  ) || return
  mkdir -p "$to/modules" || return
  $CC $CPPFLAGS -O1 -shared -fPIC -I"$to" -o "$to/modules/lfs.so" "$work"/source/lua-filesystem/*/src/lfs.c || return
  stand_in "$to/modules"
}

# Two modules of busted's that are hardly needed: they are asked whether its output is a terminal, and for the time.
stand_in() {
  echo 'return { isatty = function() return false end, colors = {} }' >"$1/term.lua" &&
    echo 'return { gettime = os.time, monotime = os.clock, sleep = function() end }' >"$1/system.lua"
}

# Runs specs: with the Lua LUA and its headers, in the build directory build-port/build-KIND
specs() {
  local kind=$1
  shift
  LUA_INCDIR=$work/$kind LUA_CPATH_5_4="$work/$kind/modules/?.so;;" \
    LUA_PATH_5_4="$work/$kind/modules/?.lua;/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;;" \
    make --no-print-directory BUILD="build-port/build-$kind" SPEC="$*" ARGS="$ARGS" test
}
