# musl, as in Alpine Linux: Lua, the modules that busted needs and the library, built with musl-gcc.

headers() { # the kernel's, which the compiler's wrapper leaves out
  ln -s /usr/include/linux /usr/include/asm-generic "$1" && ln -s "/usr/include/$(uname -m)-linux-gnu/asm" "$1/asm"
}

once musl-headers headers || exit
export CC=musl-gcc CPPFLAGS="-idirafter $work/musl-headers"
lua_for musl || exit
export LUA=$work/musl/lua
"$LUA" -v
# Left out: what is glibc's alone (its resolver's codes, its flags of getnameinfo, what it does without descriptors) or its
# headers', and where system calls are counted, of which musl makes others.
ARGS='--exclude-tags=strace --filter-out=the.headers'
specs musl spec/object spec/call spec/stream spec/message spec/below spec/loop
