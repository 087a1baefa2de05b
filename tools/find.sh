#!/bin/sh
# Finds Lua 5.4 on this machine, by whatever name it goes there.
#   tools/find.sh lua      prints the interpreter;            LUA= decides
#   tools/find.sh include  prints the directory of lua.h;     LUA_INCDIR= decides

is_lua54() {
  [ "$("$1" -e 'io.write(_VERSION)' 2>/dev/null)" = "Lua 5.4" ]
}

has_header54() {
  grep -q '^#define[[:space:]]*LUA_VERSION_NUM[[:space:]]*504' "$1/lua.h" 2>/dev/null
}

case $1 in
lua)
  if [ -n "$LUA" ]; then
    is_lua54 "$LUA" && echo "$LUA" && exit
    echo "LUA=$LUA is not Lua 5.4" >&2
    exit 1
  fi
  for name in lua5.4 lua54 lua-5.4 lua; do
    is_lua54 "$name" && echo "$name" && exit
  done
  echo "Lua 5.4 is not here: \`make deps\` installs it, LUA=/path/to/lua names it" >&2
  ;;
include)
  if [ -n "$LUA_INCDIR" ]; then
    has_header54 "$LUA_INCDIR" && echo "$LUA_INCDIR" && exit
    echo "LUA_INCDIR=$LUA_INCDIR has no lua.h of Lua 5.4" >&2
    exit 1
  fi
  for top in /usr/include /usr/local/include /opt/homebrew/include /opt/local/include; do
    for dir in "$top/lua5.4" "$top/lua54" "$top/lua-5.4" "$top/lua" "$top"; do
      has_header54 "$dir" && echo "$dir" && exit
    done
  done
  for name in lua5.4 lua54 lua-5.4 lua; do
    dir=$(pkg-config --variable=includedir "$name" 2>/dev/null)
    has_header54 "$dir" && echo "$dir" && exit
  done
  echo "the headers of Lua 5.4 are not here: \`make deps\` installs them," \
    "LUA_INCDIR=/path/to/include names them" >&2
  ;;
*)
  echo "usage: tools/find.sh lua|include" >&2
  ;;
esac
exit 1
