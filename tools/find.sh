#!/bin/sh
# Finds Lua on this machine, by whatever name it goes there: version LUA_V, 5.4 unless given.
#   tools/find.sh lua      prints the interpreter;            LUA= decides
#   tools/find.sh include  prints the directory of lua.h;     LUA_INCDIR= decides

v=${LUA_V:-5.4}
minor=${v#*.}
names="lua$v lua${v%%.*}$minor lua-$v lua"

is_lua() {
  [ "$("$1" -e 'io.write(_VERSION)' 2>/dev/null)" = "Lua $v" ]
}

# Since 5.5 the header has the number in two parts.
has_header() {
  grep -Eq "^#define[[:space:]]+LUA_VERSION_(NUM[[:space:]]+50$minor|MINOR_N[[:space:]]+$minor)([^0-9]|\$)" \
    "$1/lua.h" 2>/dev/null
}

case $1 in
lua)
  if [ -n "$LUA" ]; then
    is_lua "$LUA" && echo "$LUA" && exit
    echo "LUA=$LUA is not Lua $v" >&2
    exit 1
  fi
  for name in $names; do
    is_lua "$name" && echo "$name" && exit
  done
  echo "Lua $v is not here: \`make deps\` installs it, LUA=/path/to/lua names it" >&2
  ;;
include)
  if [ -n "$LUA_INCDIR" ]; then
    has_header "$LUA_INCDIR" && echo "$LUA_INCDIR" && exit
    echo "LUA_INCDIR=$LUA_INCDIR has no lua.h of Lua $v" >&2
    exit 1
  fi
  for top in /usr/include /usr/local/include /opt/homebrew/include /opt/local/include; do
    for name in $names .; do
      dir=$top/$name
      has_header "${dir%/.}" && echo "${dir%/.}" && exit
    done
  done
  for name in $names; do
    dir=$(pkg-config --variable=includedir "$name" 2>/dev/null)
    has_header "$dir" && echo "$dir" && exit
  done
  echo "the headers of Lua $v are not here: \`make deps\` installs them," \
    "LUA_INCDIR=/path/to/include names them" >&2
  ;;
*)
  echo "usage: tools/find.sh lua|include" >&2
  ;;
esac
exit 1
