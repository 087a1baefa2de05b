#!/bin/sh
# Installs what is missing on this machine, and only that:
#   tools/deps.sh         what `make demo` needs: four things
#   tools/deps.sh test    what `make test` needs besides; likewise lint, asan, hard, valgrind, coverage, bench,
#                         bench-instr, bench-calls, test-vm, test-scale, port
# Where nothing is missing it touches nothing and asks no network.

cd "$(dirname "$0")/.." || exit 1
target=${1:-demo}

# One row for each thing: the targets that need it, its name, how to see that it is here, and its packages
# for each manager. A package `rock:x` comes from luarocks, of `src:x` the source is unpacked in build-hard; a thing `?x` is good to have, no more.
rows() {
  cat <<'EOF_ROWS'
demo|a C compiler|has_compiler|gcc libc6-dev|gcc musl-dev linux-headers|gcc|gcc|
demo|make|command -v make|make|make|make|make|make
demo|Lua 5.4|sh tools/find.sh lua|lua5.4|lua5.4|lua|lua|lua
demo|headers of Lua 5.4|sh tools/find.sh include|liblua5.4-dev|lua5.4-dev|lua-devel|lua|lua
test|busted for Lua 5.4|has_module busted.runner busted.core|lua-busted|lua5.4-busted|luarocks rock:busted|luarocks rock:busted|luarocks rock:busted
test|luarocks|has_luarocks|luarocks|luarocks5.4|luarocks|luarocks|luarocks
test|/etc/services and /etc/protocols|has_services|netbase|alpine-baselayout-data|setup|iana-etc|
test|?nft|has_admin nft|nftables|nftables|nftables|nftables|
test|?systemd-socket-activate|command -v systemd-socket-activate|systemd||systemd|systemd|
test|script|command -v script|bsdutils|util-linux-misc|util-linux|util-linux|
test|?curl|command -v curl|curl|curl|curl|curl|
test|?wrk|command -v wrk|wrk|wrk|||
lint|luacheck|command -v luacheck|lua-check|luarocks5.4 rock:luacheck|rock:luacheck|rock:luacheck|rock:luacheck
lint|gcc|command -v gcc|gcc|gcc|gcc|gcc|
lint|clang|command -v clang|clang|clang|clang|clang|llvm
lint|?clang-format 14|has_clang_format|clang-format-14|clang14-extra-tools||clang14|clang-format@14
asan hard|the sanitizers of gcc|has_sanitizers|gcc||libasan libubsan gcc|gcc|
hard|dpkg-source|command -v dpkg-source|dpkg-dev||||
hard|the source of Lua 5.4|has_source|src:lua5.4||||
valgrind bench-instr|valgrind|command -v valgrind|valgrind|valgrind|valgrind|valgrind|
test bench|?LuaSocket|has_module socket|lua-socket|lua5.4-socket|lua-socket|lua-socket|rock:luasocket
bench|?luaposix|has_posix|lua-posix lua5.3|lua5.4-posix|lua-posix|rock:luaposix|rock:luaposix
test bench|?cqueues|has_module cqueues|lua-cqueues|lua5.4-cqueues|||
test bench|?luv|has_module luv|lua-luv|rock:luv|rock:luv|rock:luv|rock:luv
test bench|?copas|has_copas|lua-copas|rock:copas|rock:copas|rock:copas|rock:copas
bench|?Python|command -v python3|python3|python3|python3|python|python
bench|?taskset|command -v taskset|util-linux|util-linux-misc|util-linux|util-linux|
bench|?gnuplot|command -v gnuplot|gnuplot-nox|gnuplot|gnuplot|gnuplot|gnuplot
bench-calls|?strace|command -v strace|strace|strace|strace|strace|
coverage|gcov|has_gcov|gcc|gcc|gcc|gcc|
test-vm|qemu-system-x86_64|command -v qemu-system-x86_64|qemu-system-x86||||
test-vm|busybox|command -v busybox|busybox-static||||
test-vm|ip, tc, tipc|has_admin ip tc tipc|iproute2||||
test-vm|modprobe, depmod|has_admin modprobe depmod|kmod||||
test-vm|cpio|command -v cpio|cpio||||
test-vm|xz, zstd|has_admin xz zstd|xz-utils zstd||||
port|debootstrap|has_admin debootstrap|debootstrap||||
port|musl-gcc|command -v musl-gcc|musl-tools||||
port|qemu-s390x-static|command -v qemu-s390x-static|qemu-user-static||||
port|a compiler for s390x|command -v s390x-linux-gnu-gcc|gcc-s390x-linux-gnu libc6-dev-s390x-cross||||
port|clang|command -v clang|clang||||
port|lld|has_lld|lld||||
port|npm|command -v npm|npm||||
port|dpkg-source|command -v dpkg-source|dpkg-dev||||
test-scale|haproxy|has_admin haproxy|haproxy|haproxy|haproxy|haproxy|haproxy
test-scale|?nginx with its stream module|has_nginx|nginx-light libnginx-mod-stream|nginx nginx-mod-stream|nginx nginx-mod-stream|nginx nginx-mod-stream|
EOF_ROWS
}

has_compiler() {
  kernel=
  [ "$(uname -s)" != Linux ] || kernel='#include <linux/if_packet.h>'
  printf '#include <stdio.h>\n%s\n' "$kernel" | ${CC:-cc} -fsyntax-only -x c -
}

has_module() {
  lua=$(sh tools/find.sh lua) || return
  for module; do "$lua" -e "require '$module'" || return; done
}

# Debian has it for Lua 5.3 at most.
has_posix() {
  has_module posix || lua5.3 -e 'require "posix"'
}

# Debian has it where Lua 5.1 looks.
has_copas() {
  lua=$(sh tools/find.sh lua) &&
    "$lua" -e 'package.path = package.path .. ";/usr/share/lua/5.1/?.lua" require "copas"'
}

has_luarocks() {
  luarocks=$(command -v luarocks-5.4 || command -v luarocks)
}

has_services() {
  grep -q '^domain[[:space:]]' /etc/services && grep -q '^udp[[:space:]]' /etc/protocols
}

has_clang_format() {
  command -v clang-format-14 || clang-format --version | grep 'version 14\.'
}

# Without the library gcc answers with the bare name.
has_sanitizers() {
  case $(${CC:-cc} -print-file-name=libasan.so) in */*) ;; *) return 1 ;; esac
}

# LUA_SOURCE may be given: the directory of lapi.c.
has_source() {
  ls ${LUA_SOURCE:-build-hard/source/*/src}/lapi.c
}

# What is not on everybody's path.
has_admin() (
  PATH=$PATH:/usr/sbin:/sbin
  for program; do command -v "$program" || exit; done
)

has_lld() {
  command -v ld64.lld || ls /usr/lib/llvm-*/bin/ld64.lld
}

has_nginx() {
  has_admin nginx && ls /etc/nginx/modules-enabled/*stream*
}

has_gcov() {
  command -v "$(${CC:-cc} -print-prog-name=gcov)"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# The lists are fetched only where there are none, or where they turn out to be too old.
install_apt() {
  ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt_get update
  apt_get install -y --no-install-recommends "$@" ||
    { apt_get update && apt_get install -y --no-install-recommends "$@"; }
}
install_apk() { as_root apk add "$@"; }
install_dnf() { as_root dnf install -y --setopt=install_weak_deps=False "$@"; }
install_pacman() { as_root pacman -Sy --needed --noconfirm "$@"; }
install_brew() { brew install "$@"; }

install_rock() {
  has_luarocks || return
  case $manager in
  brew) "$luarocks" --lua-version 5.4 install "$1" ;;
  *) as_root "$luarocks" --lua-version 5.4 install "$1" ;;
  esac
}

# Several targets at once, under make -j, take turns: the managers allow one at a time.
if command -v flock >/dev/null; then
  exec 9<tools/deps.sh
  flock 9
fi

manager=
for name in apt-get apk dnf pacman brew; do
  if command -v "$name" >/dev/null; then
    manager=${name%-get}
    break
  fi
done

# Reads the rows: sets what is missing (its names, its packages, which are optional).
look() {
  missing='' packages='' extra='' optional=''
  while IFS='|' read -r targets name check apt apk dnf pacman brew; do
    case " $targets " in *" $target "*) ;; *) continue ;; esac
    # shellcheck disable=SC2086 # the words of a check are its arguments
    $check </dev/null >/dev/null 2>&1 && continue
    wanted=
    [ -z "$manager" ] || eval "wanted=\$$manager"
    case $name in
    \?*)
      optional="$optional${optional:+, }${name#?}"
      extra="$extra $wanted"
      ;;
    *)
      missing="$missing${missing:+, }$name"
      packages="$packages $wanted"
      ;;
    esac
  done <<EOF_LOOK
$(rows)
EOF_LOOK
}

install() {
  rocks='' others='' sources=''
  for package; do
    case "$package $others " in
    rock:*) rocks="$rocks ${package#rock:}" ;;
    src:*) sources="$sources ${package#src:}" ;;
    "$package "*" $package "*) ;; # already among them
    *) others="$others $package" ;;
    esac
  done
  if [ -n "$others" ]; then
    echo "deps: $manager installs$others"
    # shellcheck disable=SC2086
    "install_$manager" $others 9<&- || return
  fi
  for rock in $rocks; do
    echo "deps: luarocks installs $rock"
    install_rock "$rock" || return
  done
  for source in $sources; do
    echo "deps: apt-get unpacks the source of $source"
    sh tools/source.sh "$source" build-hard/source || return
  done
}

look
if [ -z "$missing$optional" ]; then
  echo "deps: nothing is missing for make $target"
  exit
fi

echo "deps: missing for make $target: $missing${missing:+${optional:+, }}$optional"
if [ -z "$manager" ]; then
  echo "deps: no apt-get, apk, dnf, pacman or brew here: please install these by hand" >&2
elif [ "$manager" != brew ] && [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
  echo "deps: neither root nor sudo here: please have $manager install:$packages$extra" >&2
else
  # shellcheck disable=SC2086
  install $packages
  # shellcheck disable=SC2086
  [ -z "$extra" ] || install $extra || true
fi

look
[ -z "$optional" ] || echo "deps: going on without $optional"
[ -z "$missing" ] && exit
echo "deps: still missing, please install by hand: $missing" >&2
exit 1
