# 32-bit x86, Debian bullseye

suite=bullseye
SPECS='spec/object spec/call spec/stream spec/message spec/below spec/loop'
. tools/port/root.sh
