#!/bin/bash
# Builds and runs the library as on other systems, a part each (tools/port/NAME.sh); `make port` calls it, PART=musl runs
# one. What a part needs from elsewhere is fetched once, into build-port. docs/systems.md has what came out.
#
# A part ends by `N passed, N failed, N skipped`, is killed with all that it started when its time is over, and leaves
# nothing mounted: what is mounted for it is so in a namespace of its own.

cd "$(dirname "$0")/.." || exit 1
PARTS='bare bigendian bookworm bullseye macos musl trixie'
passed=0 failed=0 skipped=0
mkdir -p build-port || exit
log=build-port/log

for part in ${PART:-$PARTS}; do
  if ! [ -f "tools/port/$part.sh" ]; then
    echo "port: there is no part $part; these are: $PARTS" >&2
    exit 2
  fi
  echo
  echo "== $part"
  seconds=$SECONDS
  timeout --kill-after=10 "${LIMIT:-600}" setsid --wait bash -c '. tools/port/common.sh; . "tools/port/$0.sh"' "$part" \
    </dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  last=$(grep -aE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) skipped=$((skipped + BASH_REMATCH[3]))
    counted=${BASH_REMATCH[2]}
  else
    counted=1
  fi
  if [ "$status" != 0 ] && [ "$counted" = 0 ]; then counted=1; fi
  failed=$((failed + counted))
  echo "== $part: ${last:-it did not say how many passed} (status $status, $((SECONDS - seconds)) s)"
done

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
