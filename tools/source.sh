#!/bin/sh
# tools/source.sh PACKAGE DIRECTORY: unpacks the source of a package of Debian's or Ubuntu's there.
#
# The machine's lists may have no deb-src in them, and are not ours to change: these are a directory's own. The
# mirrors are those that its packages come from.

package=$1 dir=$2
rm -rf "$dir" && mkdir -p "$dir/lists/partial" "$dir/parts" "$dir/cache" || exit
dir=$(cd "$dir" && pwd) || exit
# shellcheck disable=SC2016 # what apt-get expands
apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)' 'Created-By: Packages' |
  sort -u | while IFS='|' read -r origin uri release component signed; do
    case $origin in Debian | Ubuntu) ;; *) continue ;; esac
    case $signed in /*) signed="[signed-by=$signed] " ;; *) signed= ;; esac
    echo "deb-src $signed$uri $release $component"
  done >"$dir/list"
from() {
  apt-get -qq -o Dir::Etc::sourcelist="$dir/list" -o Dir::Etc::sourceparts="$dir/parts" \
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}
cd "$dir" && from update && from --only-source source "$package" >/dev/null
status=$?
rm -rf lists cache parts
exit "$status"
