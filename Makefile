# The build room. GNU make 3.81 or later; `make help` lists what it can do.
#
# Nothing about the machine is asked while this file is read: where Lua and its headers are, each
# recipe asks for itself (tools/find.sh). So `make deps demo` works where deps has yet to install them.

CC ?= cc
CFLAGS ?= -O2
CPPFLAGS ?=
LDFLAGS ?=
# The Lua to build for: 5.4, or 5.5.
LUA_V ?= 5.4
# Where install puts things, all of it below DESTDIR.
PREFIX ?= /usr/local
LUADIR ?= $(PREFIX)/share/lua/$(LUA_V)
SODIR ?= $(PREFIX)/lib/lua/$(LUA_V)
DESTDIR ?=
# A build with other flags goes to a directory of its own, so that objects never mix.
BUILD ?= build
# `make test SPEC=spec/call/x_spec.lua` runs that file only; ARGS are handed to busted as they are.
SPEC ?=
ARGS ?=
# The status of tools/vm/run.sh where the virtual machine cannot be had.
MISSING ?= 77
# V=1 shows the flags of the build.
V ?=
# `make port PART=musl` runs that part only.
PART ?=
# A program to run the specs under, such as a debugger.
UNDER ?=
# `make coverage` fails when fewer per cent of the lines were run.
COVERAGE_FLOOR ?= 0

STRICT = -Wall -Wextra -pedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wcast-align -Wcast-qual -Wvla -Wformat=2 -Wundef
# WERROR=1 makes errors of the warnings: for those who work on the library with a compiler that they know.
ifeq ($(WERROR),1)
STRICT += -Werror
endif
HOUSE = -std=c99 -fPIC -fno-plt -fvisibility=hidden -pthread $(STRICT)

SHARED = $(BUILD)/bsdsocket/core.so
SOURCES := $(sort $(wildcard csrc/*.c csrc/*/*.c))
OBJECTS = $(SOURCES:csrc/%.c=$(BUILD)/%.o)
MODULES := $(sort $(wildcard lua/*/*.lua lua/*/*/*.lua))

# Called by this name so that `make -n` does not take the recipe for a make to run after all.
AGAIN = $(MAKE)

# What tools/find.sh and the specs look at. LUA and LUA_INCDIR may be given; without, they are looked for.
export CC LUA LUA_INCDIR LUA_V
export BSDSOCKET_BUILD = $(BUILD)

# Lua whatever its name is here, with this checkout before everything that is installed.
# (LUA_PATH_5_4 because Lua asks for it first: a user's own would else hide ours.)
U_V = $(subst .,_,$(LUA_V))
CHECKOUT = LUA=$$(sh tools/find.sh lua) && export LUA && \
	LUA_PATH_$(U_V)="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;$${LUA_PATH_$(U_V)-$${LUA_PATH-;}}" \
	LUA_CPATH_$(U_V)="$(abspath $(BUILD))/?.so;$${LUA_CPATH_$(U_V)-$${LUA_CPATH-;}}" && \
	export LUA_PATH_$(U_V) LUA_CPATH_$(U_V)

.PHONY: all deps demo examples test test-vm test-scale lint format asan hard valgrind coverage docs bench-instr install \
	uninstall clean help deps-test deps-lint deps-asan deps-hard deps-valgrind deps-coverage deps-bench-instr deps-bench-calls \
	deps-test-vm deps-test-scale deps-port port bench bench-plot bench-calls bench-many bench-deps FORCE

all: $(SHARED) ## build the library for use from this checkout (what plain `make` does)

# Goals that install come first, even under -j.
ifneq ($(filter deps deps-% test-vm test-scale lint asan hard valgrind coverage port bench-deps bench-calls bench-instr,$(MAKECMDGOALS)),)
$(OBJECTS) $(BUILD)/flags: | deps
endif

# Made anew only when what it says changes; so other flags and other headers of Lua rebuild, and the same ones do
# not. They are shown when they change, and always with V=1.
$(BUILD)/flags: export FLAGS = $(CC) $(HOUSE) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)/bsdsocket
	@dir=$$(sh tools/find.sh include) || exit; FLAGS="$$FLAGS -I$$dir"; \
	told='$(V)'; echo "$$FLAGS" | cmp -s - $@ || { [ ! -f $@ ] || told=1; echo "$$FLAGS" > $@; }; \
	[ "$$told" != 1 ] || echo "flags in $(BUILD): $$FLAGS"

$(BUILD)/%.o: csrc/%.c $(BUILD)/flags
	@dir=$$(sh tools/find.sh include) && echo '$(CC) -c $<' && \
	mkdir -p $(@D) && $(CC) $(HOUSE) $(CPPFLAGS) $(CFLAGS) -MMD -MP -Icsrc -I"$$dir" -c -o $@ $<

# nodelete: a helper thread may outlive lua_close, and must not return into unmapped code.
$(SHARED): $(OBJECTS)
	@case $$(uname -s) in \
	Darwin) how='-bundle -undefined dynamic_lookup' ;; \
	*) how='-shared -Wl,-z,nodelete' ;; esac; \
	echo '$(CC) -o $@' && $(CC) $$how -pthread $(CFLAGS) -o $@ $(OBJECTS) $(LDFLAGS)

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)

# The C programs of the benchmark, optimized whatever the library is built with.
BENCH = $(BUILD)/bench/c $(BUILD)/bench/counterpart

$(BENCH): $(BUILD)/bench/%: bench/%.c bench/net.c bench/net.h csrc/base/prefix.h $(BUILD)/flags
	@mkdir -p $(BUILD)/bench && echo '$(CC) -o $@' && \
	$(CC) $(HOUSE) $(CPPFLAGS) -O2 -Icsrc -o $@ $< bench/net.c

deps: ## install what demo needs: a compiler, make, Lua and its headers; `make deps test` brings what test needs, too
	@sh tools/deps.sh demo
ifneq ($(filter test,$(MAKECMDGOALS)),)
	@sh tools/deps.sh test
endif

# Of those who run specs.
deps-asan deps-hard deps-valgrind deps-coverage deps-test-vm deps-port: deps-test

deps-test deps-lint deps-asan deps-hard deps-valgrind deps-coverage deps-bench-instr deps-bench-calls deps-test-vm deps-test-scale deps-port: deps
	@sh tools/deps.sh $(@:deps-%=%)

deps-test: ## install what test needs: busted, luarocks, and what some specs look at
deps-lint: ## install what lint needs: luacheck, clang, clang-format
deps-asan: ## install what asan needs: the sanitizers' libraries
deps-hard: ## install what hard needs: the sanitizers' libraries, and the source of Lua
deps-valgrind: ## install what valgrind needs
deps-coverage: ## install what coverage needs: gcov
deps-bench-instr: ## install what bench-instr needs: valgrind
deps-bench-calls: ## install what bench-calls needs: strace
deps-test-vm: ## install what test-vm needs: qemu, and what packs an image
deps-port: ## install what port needs: roots of other systems, other compilers, an emulator
deps-test-scale: ## install what test-scale needs: HAProxy, and if it can be had nginx

demo: all ## run the demo: a server and a client talk, step by step
	@$(CHECKOUT) && "$$LUA" examples/demo.lua

examples: all ## run every example that can end by itself
	@$(CHECKOUT) && "$$LUA" examples/run.lua

test: all ## run the specs; SPEC=spec/call/x_spec.lua for one file, ARGS="--filter=x" for busted
	@$(CHECKOUT) && $(UNDER) "$$LUA" spec/run.lua $(ARGS) $(SPEC)

test-vm: deps-test-vm all ## run the specs of TIPC, SCTP, vsock in a virtual machine; SPEC and ARGS as for test
	@$(CHECKOUT) && SPEC='$(SPEC)' ARGS='$(ARGS)' MISSING='$(MISSING)' sh tools/vm/run.sh

# The clients are 1000, and each is a descriptor.
test-scale: deps-test-scale all ## kill one of four workers behind a balancer while 1000 clients talk to them
	@$(CHECKOUT) && { ulimit -S -n 4096 2>/dev/null || :; } && "$$LUA" tools/scale/run.lua

lint: deps-lint ## check the sources: luacheck, gcc and clang with warnings as errors, their analyzers, clang-format
	@$(CHECKOUT) && FLAGS='$(HOUSE) $(CPPFLAGS) -Werror' sh tools/lint.sh

format: ## lay out the C files as lint wants them, by clang-format 14
	$$(command -v clang-format-14 || echo clang-format) -i $(filter-out csrc/base/constants.h,$(wildcard csrc/*.[ch] csrc/*/*.[ch] bench/*.[ch]))

asan: deps-asan ## run the specs with the address and undefined-behaviour sanitizers
	@MAKE='$(AGAIN)' SPEC='$(SPEC)' ARGS='$(ARGS)' sh tools/asan.sh

hard: deps-hard ## run specs in a Lua that checks how its API is used, moves its stack at each call and collects at each allocation
	@MAKE='$(AGAIN)' SPEC='$(SPEC)' ARGS='$(ARGS)' sh tools/hard.sh

valgrind: deps-valgrind ## run the specs under valgrind (without those tagged #slow or #process)
	@MAKE='$(AGAIN)' SPEC='$(SPEC)' ARGS='$(ARGS)' sh tools/valgrind.sh

coverage: deps-coverage ## run the specs and print the share of lines run; COVERAGE_FLOOR=90 demands it
	@MAKE='$(AGAIN)' SPEC='$(SPEC)' ARGS='$(ARGS)' FLOOR='$(COVERAGE_FLOOR)' sh tools/coverage.sh

docs: ## make docs/reference.md from types/bsdsocket.lua
	@$(CHECKOUT) && "$$LUA" tools/docs.lua

port: deps-port all ## build and run it as on other systems; PART=musl for one of bare bigendian bookworm bullseye macos musl trixie
	@$(CHECKOUT) && PART='$(PART)' bash tools/port.sh

bench-deps: deps ## install what bench compares with: LuaSocket, cqueues, luv, copas, Python; and gnuplot
	@sh tools/deps.sh bench

bench: all $(BENCH) ## compare the speed with C's and with other libraries'; ROUNDS=3 WORKLOAD=udp LIBRARY=python
	@$(CHECKOUT) && "$$LUA" bench/run.lua && "$$LUA" bench/calls.lua

bench-plot: ## draw bench/results.svg from bench/results.json
	@$(CHECKOUT) && "$$LUA" bench/plot.lua

bench-many: all ## 108,000 connections at once, in 12 processes; they need 18,500 descriptors each
	@$(CHECKOUT) && "$$LUA" bench/many.lua

bench-calls: deps-bench-calls all $(BENCH) ## count the system calls of this library and of C
	@$(CHECKOUT) && "$$LUA" bench/calls.lua

bench-instr: deps-bench-instr all ## count the instructions of one call and the bytes of one socket
	@$(CHECKOUT) && sh bench/instr.sh

install: all ## install under PREFIX (/usr/local), below DESTDIR if given
	@mkdir -p "$(DESTDIR)$(SODIR)/bsdsocket"
	cp $(SHARED) "$(DESTDIR)$(SODIR)/bsdsocket/core.so"
	@for f in $(MODULES); do to="$(DESTDIR)$(LUADIR)/$${f#lua/}"; \
	mkdir -p "$${to%/*}" && echo "cp $$f $$to" && cp "$$f" "$$to" && chmod 644 "$$to" || exit 1; done

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(SODIR)/bsdsocket/core.so"
	@for f in $(MODULES); do echo "rm -f $(DESTDIR)$(LUADIR)/$${f#lua/}"; rm -f "$(DESTDIR)$(LUADIR)/$${f#lua/}"; done
	@for d in "$(DESTDIR)$(SODIR)/bsdsocket" "$(DESTDIR)$(LUADIR)/bsdsocket"; do \
	if [ -d "$$d" ]; then find "$$d" -depth -type d -exec rmdir {} \; ; fi; done

clean: ## remove everything that was built, by make or by luarocks
	rm -rf build build-* bsdsocket csrc/*.o csrc/*/*.o

help: ## show this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	while IFS='|' read -r name what; do printf '  %-22s %s\n' "make $$name" "$$what"; done
