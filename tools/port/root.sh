# A root of Debian's for 32-bit x86, $suite: built with its compiler and its C library, and the specs run by its Lua, on this
# machine's kernel. Only root may make one.

[ "$(id -u)" = 0 ] || { leave_out 'a root of another system is for root to make'; counts; exit; }

bootstrap() {
  debootstrap --arch=i386 --variant=minbase \
    --include=gcc,libc6-dev,make,lua5.4,liblua5.4-dev,lua-busted,netbase,procps,bsdutils,iproute2,nftables \
    "$suite" "$1" "$mirror" >/dev/null
}

# Everything is mounted in a namespace of this command's own, and its processes end with it.
inside() {
  # shellcheck disable=SC2016 # the inner shell is to see them
  setarch linux32 unshare --mount --pid --fork --kill-child sh -c '
    root=$1; shift
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" &&
    mount -t tmpfs tmpfs "$root/tmp" && exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp "$@"
  ' sh "$@"
}

# Left out: specs in whose middle a finalizer is to run (the pace of the collector is another one where pointers are short),
# those that compare with all names of the headers (each release has more), and sources of IPv6 groups (the kernel's
# 32-bit call finds no membership).
without='--filter-out=finalizer --filter-out=the.headers --filter-out=from.the.wanted.source'
root=$work/$suite-i386
once "$suite-i386" bootstrap || exit

# Debian 11 has busted for older Luas only: what is Lua in it comes from the root of Debian 12, and what is C is made here.
if ! [ -d "$root/usr/share/lua/5.4/busted" ] && ! [ -d "$root/usr/local/share/lua/5.4/busted" ]; then
  (suite=bookworm && once bookworm-i386 bootstrap) && source_of lua-filesystem || exit
  mkdir -p "$root/usr/local/share/lua" "$root/usr/local/lib/lua/5.4" &&
    cp -rL "$work/bookworm-i386/usr/share/lua/5.4" "$root/usr/local/share/lua" &&
    stand_in "$root/usr/local/share/lua/5.4" && cp "$work"/source/lua-filesystem/*/src/lfs.[ch] "$root/tmp" &&
    chroot "$root" gcc -O1 -shared -fPIC -I/usr/include/lua5.4 -o /usr/local/lib/lua/5.4/lfs.so /tmp/lfs.c || exit
fi

# Debian 11 has busted for older Luas only: what its 5.4 runs comes from the root of Debian 12.
if ! [ -d "$root/usr/share/lua/5.4/busted" ]; then
  (suite=bookworm && once bookworm-i386 bootstrap) || exit
  for place in usr/share/lua usr/lib/i386-linux-gnu/lua; do
    mkdir -p "$root/$place" && cp -a "$work/bookworm-i386/$place/5.4" "$root/$place" || exit
  done
fi
rm -rf "$root/bsdsocket" && mkdir "$root/bsdsocket" && git ls-files -z | xargs -0 cp --parents -t "$root/bsdsocket" || exit
inside "$root" sh -c 'cd /bsdsocket && gcc --version | head -n 1 && lua5.4 -v && uname -m &&
  exec make SPEC="$0" ARGS="$1" test' "$SPECS" "--exclude-tags=strace$tags $without"
