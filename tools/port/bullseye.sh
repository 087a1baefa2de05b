# 32-bit x86, Debian bullseye

suite=bullseye
tags=,deep # Lua 5.4.2 takes minutes for recursion as deep as it allows
SPECS='spec/object spec/call spec/stream spec/message spec/below spec/loop'
. tools/port/root.sh
