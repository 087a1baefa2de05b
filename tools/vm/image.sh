#!/bin/sh
# Packs what the virtual machine boots into, as tools/vm/run.sh wants it: $1/image, out of this
# machine's own programs and libraries, the modules of the kernel in $1/linux, this checkout's build, and
# the specs. A few MB; so it is made anew each time.

dir=$1
root=$dir/root
linux=$dir/linux
modules='virtio_pci virtio_net tipc sctp vsock_loopback sch_netem'

# Debian's own, not what this shell may have built in.
busybox=$(command -v busybox) || exit
rm -rf "$root"
mkdir -p "$root/bin" "$root/busybox" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/etc" \
  "$root/lua" "$root/lib" "$root/bsdsocket/build/bsdsocket" || exit

# The checkout, as far as specs look at it.
cp -R lua spec examples .busted "$root/bsdsocket" || exit
cp "$BSDSOCKET_BUILD/bsdsocket/core.so" "$root/bsdsocket/build/bsdsocket" || exit

# Lua and busted's modules; each from wherever this machine's Lua finds it.
cp -L "$(command -v "$LUA")" "$root/bin/lua5.4" || exit
"$LUA" tools/vm/modules.lua busted luassert say mediator cliargs pl term system lfs dkjson >"$dir/files" || exit
while read -r from to; do
  case $from in */.) mkdir -p "$root/lua/$to" || exit ;; esac
  cp -RLn "$from" "$root/lua/$to" || exit
done <"$dir/files"

cp -L "$busybox" "$root/bin/busybox" || exit
cp -L /bin/sh "$root/bin/sh" || exit # busybox's takes its own tc and ip before others
for program in ip tc tipc; do cp -L "$(command -v $program)" "$root/bin" || exit; done
cp -L /etc/services /etc/protocols "$root/etc" || exit
echo '127.0.0.1 localhost' >"$root/etc/hosts"

# What they are linked with, at the same place.
find "$root/bin" "$root/lua" "$root/bsdsocket/build" -type f \
  \( -name '*.so' -o ! -name '*.*' -o -name lua5.4 \) -exec ldd {} + 2>/dev/null |
  sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p' | sort -u >"$dir/files"
while read -r library; do
  mkdir -p "$root${library%/*}" && cp -L "$library" "$root$library" || exit
done <"$dir/files"

# Modules in the order in which they have to be loaded; not as this machine's own settings say.
version=$(ls "$linux/lib/modules")
for module in $modules; do
  modprobe -C /dev/null -d "$PWD/$linux" --set-version "$version" --show-depends "$module" || exit
done >"$dir/files" || exit
sed -n 's/^insmod \([^ ]*\).*/\1/p' "$dir/files" | awk '!seen[$0]++' | while read -r file; do
  name=${file##*/}
  name=${name%%.ko*}.ko
  case $file in
  *.xz) xz -dc "$file" >"$root/modules/$name" ;;
  *.zst) zstd -qdc "$file" >"$root/modules/$name" ;;
  *) cp "$file" "$root/modules/$name" ;;
  esac || exit
  echo "$name" >>"$root/modules/order"
done || exit

# shellcheck disable=SC2086 # words, one a line
printf '%s\n' $ARGS ${SPEC:-spec/vm} >"$root/arguments"
cp tools/vm/init "$root/init" && chmod 755 "$root/init" || exit
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/image"
