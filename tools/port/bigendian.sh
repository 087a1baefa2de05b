# A big-endian processor (s390x), emulated: what has to do with the order of bytes. Other processes, helper threads, as
# look-ups of names have them, and much of what messages and options need are beyond the emulator.

export CC=s390x-linux-gnu-gcc
lua_for bigendian || exit
printf '#!/bin/sh\nexec qemu-s390x-static -L /usr/s390x-linux-gnu "%s" "$@"\n' "$work/bigendian/lua" >"$work/bigendian/run"
chmod +x "$work/bigendian/run"
export LUA=$work/bigendian/run
"$LUA" -v
ARGS='--exclude-tags=process,strace --filter-out=name --filter-out=host --filter-out=resolver --filter-out=thread'
specs bigendian spec/object/address_spec.lua spec/object/buffer_spec.lua spec/object/intern_spec.lua \
  spec/object/hint_spec.lua spec/call/util_spec.lua spec/below/constant_spec.lua spec/stream/read_spec.lua \
  spec/stream/bound_spec.lua
