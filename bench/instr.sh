#!/bin/sh
# Counts what a call costs and compares it with bench/instr_goals.txt; `make bench-instr` calls it.
# The cost of one round is (20,000 rounds - 10,000 rounds) / 10,000: what start and end cost cancels out.
# A row "a - b" is the figure of row a without that of row b, both of which stand before it.

goals=bench/instr_goals.txt
slack=3
figures=
passed=0 failed=0 skipped=0

count() {
  said=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$LUA" bench/instr.lua "$1" "$2" 2>&1) ||
    { echo "$said" >&2; return 1; }
  echo "$said" | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

known() {
  echo "$figures" | sed -n "s/^$1=//p"
}

measure() {
  case $1 in
  *' - '*) echo $(($(known "${1%% - *}") - $(known "${1#* - }"))) ;;
  bytes*) "$LUA" bench/instr.lua "$1" 1000 ;;
  *)
    few=$(count "$1" 10000) && many=$(count "$1" 20000) && echo $(((many - few) / 10000))
    ;;
  esac
}

# Is a figure beyond the row's goal, or its limit?
toomuch() {
  { [ "$goal" != - ] && [ "$1" -gt "$goal" ]; } || { [ -n "$limit" ] && [ "$1" -gt "$limit" ]; }
}

made="$(uname -m), $(${CC:-cc} --version | sed 1q), $("$LUA" -v | cut -d' ' -f1,2)"
comparable=yes
if ! grep -qxF "# made with: $made" "$goals"; then
  comparable=no
  skipped=1
  echo "1 skipped: the baselines of bench/instr_goals.txt are of another compiler or Lua"
  echo "      (this is $made)"
fi

printf '%-38s %8s %8s %8s\n' row figure goal baseline
while IFS='|' read -r name goal baseline; do
  case $name in '#'* | '') continue ;; esac
  name=$(echo "$name" | sed 's/ *$//')
  goal=$(echo $goal) baseline=$(echo $baseline)
  verdict='' limit=''
  [ "$comparable" = no ] || [ "$baseline" = - ] || limit=$((baseline * (100 + slack) / 100))
  figure=$(measure "$name" </dev/null)
  for again in 2 3; do # Lua mixes the time into its hashes: in some runs names collide
    [ -n "$figure" ] && toomuch "$figure" || break
    echo "$name: $figure; counted again ($again)" >&2
    next=$(measure "$name" </dev/null)
    [ -z "$next" ] || [ "$next" -ge "$figure" ] || figure=$next
  done
  figures="$figures
$name=$figure"
  if [ -z "$figure" ]; then
    verdict='FAILED: no figure'
  elif [ "$goal" != - ] && [ "$figure" -gt "$goal" ]; then
    verdict='FAILED: over its goal'
  elif [ -n "$limit" ] && [ "$figure" -gt "$limit" ]; then
    verdict="FAILED: over its baseline by more than $slack %"
  fi
  case $verdict in
  FAILED*) failed=$((failed + 1)) ;;
  *) [ "$goal$limit" = - ] || passed=$((passed + 1)) ;;
  esac
  printf '%-38s %8s %8s %8s  %s\n' "$name" "${figure:--}" "$goal" "$baseline" "$verdict"
done <"$goals"

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
