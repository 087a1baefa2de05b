# A system that has no more than POSIX: what Linux has alone is taken away before the sources are read (bare.h), readiness is
# poll's, and sendfile copies.

SPECS='spec/object/buffer_spec.lua spec/object/intern_spec.lua spec/stream/read_spec.lua spec/stream/ahead_spec.lua
  spec/stream/bound_spec.lua spec/stream/write_spec.lua spec/stream/script_spec.lua spec/call/select_spec.lua
  spec/call/socket_spec.lua spec/call/connection_spec.lua spec/loop/loop_spec.lua spec/loop/cancel_spec.lua
  spec/loop/wrap_spec.lua spec/loop/waits_spec.lua spec/loop/time_spec.lua'
# What such a system has not, by the names of specs.
for without in 'MSG_OOB.and.MSG_ERRQUEUE' 'asks.the.kernel.what.it.is' 'waits.for.a.socket.or.a.pipe' \
  'while.it.sends.from.a.pipe' 'SOCK_NONBLOCK'; do
  args="$args --filter-out=$without"
done
# shellcheck disable=SC2086 # words
make --no-print-directory BUILD=build-port/build-bare CFLAGS='-O2 -DBS_ENGINE_POLL -DBS_SENDFILE_COPY' \
  CPPFLAGS='-Icsrc -include tools/port/bare.h' SPEC="$(echo $SPECS)" ARGS="${args# }" test
