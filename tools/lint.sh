#!/bin/sh
# Checks the sources without running them; `make lint` says with which FLAGS C is compiled.

include=$(sh tools/find.sh include) || exit 1
passed=0 failed=0 skipped=0

check() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok: $name"
  else
    failed=$((failed + 1))
    printf 'not ok: %s\n%s\n' "$name" "$output"
  fi
}

skip() {
  skipped=$((skipped + 1))
  echo "1 skipped: $1"
}

# Runs a compiler with these arguments on each file, two at a time.
export include
each() {
  # shellcheck disable=SC2016 # the inner shell is to see them
  printf '%s\n' csrc/*.c csrc/*/*.c bench/*.c |
    xargs -P 2 -I FILE sh -c 'exec "$@" $FLAGS -Icsrc -I"$include" "$0"' FILE "$@"
}

# What gcc and clang find out by following each way through a function. Warnings of the compiler proper are for the
# checks before; those of the analyzer are errors.
gcc_analyzer() {
  FLAGS='-std=c99 -O2 -pthread -Werror' each gcc -fanalyzer -c -o /dev/null
}
clang_analyzer() {
  FLAGS='-std=c99 -pthread -Werror' each clang --analyze --analyzer-output text \
    -Xclang -analyzer-werror
}

# A core.so that was built with the headers of a later 5.4 has to load in every 5.4. What nm calls `w` may be missing.
loads_in_540() (
  work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT || exit
  # shellcheck disable=SC2086 # FLAGS are words
  gcc $FLAGS -Icsrc -I"$include" -shared -o "$work/core.so" csrc/*.c csrc/*/*.c || exit
  sed '/^#/d; y/ /\n/' tools/lua-5.4.0.txt >"$work/known"
  nm -D --undefined-only "$work/core.so" | sed -n 's/.* U \(lua[^@]*\).*/\1/p' >"$work/wanted"
  [ -s "$work/wanted" ] && ! grep -vxF -f "$work/known" "$work/wanted"
)

# constants.h is one long table, a row or an #ifdef a line.
laid_out() {
  good=true
  for file in csrc/*.[ch] csrc/*/*.[ch] bench/*.[ch]; do
    [ "$file" = csrc/base/constants.h ] || "$format" --dry-run -Werror "$file" || good=false
  done
  $good || { echo 'make format does it'; false; }
}

scripts() {
  for file in .ci/run tools/*.sh tools/port/*.sh tools/vm/*.sh tools/vm/init bench/*.sh; do
    case $(head -n 1 "$file") in *bash | '# '*) bash -n "$file" ;; *) sh -n "$file" ;; esac || return
  done
}

check luacheck luacheck -q --no-color .
check 'gcc -O2' each gcc -O2 -c -o /dev/null
check clang each clang -fsyntax-only
check 'gcc -fanalyzer' gcc_analyzer
check 'clang --analyze' clang_analyzer
check 'functions of Lua 5.4.0 only' loads_in_540
check 'the floors of csrc' "$LUA" tools/floors.lua check
check 'shell scripts' scripts

# Another version lays out some lines otherwise, and nobody can please two.
format=
for name in clang-format-14 clang-format; do
  case $("$name" --version 2>/dev/null) in *'version 14.'*) format=$name && break ;; esac
done
if [ -n "$format" ]; then
  check "$format" laid_out
else
  skip 'clang-format 14 is not here'
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
