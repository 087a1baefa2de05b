#!/bin/sh
# Runs specs in a small virtual machine, whose kernel has what this machine's own may lack: TIPC, SCTP,
# vsock, netem. `make test-vm` calls it. Two machines are joined by an Ethernet wire: the first runs
# spec/vm (or SPEC and ARGS), the second is spec/vm/peer.lua. Its status is that of the specs, and 77
# (or what MISSING says) where the machine cannot be had; anything else that goes wrong counts as failed.
#
# Everything that is downloaded or built is in build-vm, for the next run. Only qemu and what
# packs the image get installed (tools/deps.sh test-vm): the kernel never is.

limit=${LIMIT:-240} # seconds for boot and specs; they take about ten
dir=build-vm
PATH=$PATH:/usr/sbin:/sbin

missing() {
  echo "$1" >&2
  echo '1 skipped: the virtual machine cannot be had here'
  echo
  echo '0 passed, 0 failed, 1 skipped'
  exit "${MISSING:-77}"
}

failed() {
  echo "$1" >&2
  echo
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The newest kernel that the package lists know, by its versioned name.
newest() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p'
}

# Leaves $dir/linux with the kernel and its modules, complete or not at all.
kernel() {
  [ -d "$dir/linux" ] && return
  package=$(newest)
  if [ -z "$package" ]; then # no lists yet
    as_root apt-get -qq update >/dev/null
    package=$(newest)
  fi
  [ -n "$package" ] || return
  echo "vm: downloading $package"
  rm -rf "$dir/unpacked" "$dir/download"
  mkdir -p "$dir/download"
  download || { as_root apt-get -qq update && download; } >/dev/null || return
  dpkg-deb -x "$dir"/download/*.deb "$dir/unpacked" || return
  # where everything is below /usr
  [ -d "$dir/unpacked/lib/modules" ] || ln -s usr/lib "$dir/unpacked/lib" || return
  depmod -b "$dir/unpacked" "$(ls "$dir/unpacked/lib/modules")" || return
  rm -rf "$dir/download"
  mv "$dir/unpacked" "$dir/linux"
}

# apt's own user may not be let in here, and says so at length; it makes no difference.
download() {
  (cd "$dir/download" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package")
}

[ "$(uname -sm)" = 'Linux x86_64' ] || missing 'vm: the machine is that of Linux on x86_64'
for tool in apt-get apt-cache dpkg-deb; do
  command -v $tool >/dev/null || missing "vm: the kernel is a package of Debian, and $tool is not here"
done

mkdir -p "$dir" || exit
if command -v flock >/dev/null; then # one run at a time
  exec 9>"$dir/lock"
  flock 9
fi
sh tools/deps.sh test-vm 9>&- || missing 'vm: its packages cannot be had'
kernel || missing 'vm: the kernel of linux-image-cloud-amd64 cannot be had'
sh tools/vm/image.sh "$dir" || failed 'vm: its image could not be made'

# Only the machines that are started here are ever ended: by their ids.
first='' second=''
stop() {
  [ -z "$first$second" ] || kill $first $second 2>/dev/null
  wait
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

machine() {
  rm -f "$dir/$1.wire"
  # in this directory the names of the wire's ends are short enough
  cd "$dir" && exec timeout -k 5 "$limit" qemu-system-x86_64 -M pc -accel tcg -cpu max -m 256 -no-reboot \
    -nodefaults -display none -serial "file:$1.log" \
    -kernel linux/boot/vmlinuz-* -initrd image \
    -append "console=ttyS0 quiet panic=-1 role=$1" \
    -netdev "dgram,id=wire,local.type=unix,local.path=$1.wire,remote.type=unix,remote.path=$2.wire" \
    -device "virtio-net-pci,netdev=wire,romfile=,mac=52:54:00:00:00:0$3" </dev/null 2>"$1.err" 9>&-
}

machine first second 1 &
first=$!
machine second first 2 &
second=$!
wait "$first"
ended=$?
first=

tr -d '\r' <"$dir/first.log" >"$dir/output"
status=$(sed -n 's/^vm: the specs ended with status //p' "$dir/output")
if [ -z "$status" ]; then
  for log in first second; do
    echo "== $dir/$log.log"
    cat "$dir/$log.log" "$dir/$log.err" | tr -d '\r'
  done
  [ "$ended" != 124 ] || failed "vm: the specs were not over after $limit s"
  failed "vm: the machine ended (status $ended) before the specs did"
fi
awk '/^vm: the specs ended/ { exit } begun; /^vm: the specs begin/ { begun = 1 }' "$dir/output"
if [ "$status" != 0 ] && [ -s "$dir/second.log" ]; then
  echo "the second machine said:"
  tr -d '\r' <"$dir/second.log"
fi >&2
exit "$status"
