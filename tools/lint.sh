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
  echo "skip: $1"
}

each() {
  compiler=$1
  shift
  for file in csrc/*.c bench/*.c; do
    # shellcheck disable=SC2086 # FLAGS are words
    "$compiler" $FLAGS -Icsrc -I"$include" "$@" "$file" || return
  done
}

# constants.h is one long table, a row or an #ifdef a line.
laid_out() {
  good=true
  for file in csrc/*.[ch] bench/*.[ch]; do
    [ "$file" = csrc/constants.h ] || "$format" --dry-run -Werror "$file" || good=false
  done
  $good || { echo 'make format does it'; false; }
}

scripts() {
  for file in tools/*.sh tools/vm/*.sh tools/vm/init bench/*.sh; do sh -n "$file" || return; done
  bash -n .ci/run
}

check luacheck luacheck -q --no-color .
check 'gcc -O2' each gcc -O2 -c -o /dev/null
check clang each clang -fsyntax-only
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
