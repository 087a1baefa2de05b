-- csrc/op/thread.c: look-ups go on in helper threads. The resolver is the system's own; in a network of its own, and
-- with a resolv.conf of its own, it asks a name server that says nothing until the script lets it.
local socket = require "bsdsocket"
local helper = require "spec.helper"
local nameserver = require "spec.nameserver"
local net = require "spec.net"
local process = require "spec.process"

local build = os.getenv "BSDSOCKET_BUILD" or "build"
if not build:find "^/" then build = helper.root .. "/" .. build end
local object = build .. "/bsdsocket/core.so"

local MOST <const> = 8 -- threads
local SLACK <const> = (net.slow or helper.instrumented) and 1.5 or 0.5 -- others may need the machine

-- What each script below begins with.
local PRELUDE = [[
  io.stdout:setvbuf "line"
  local socket = require "bsdsocket"
  local netlink = require "spec.netlink"
  assert(netlink.up(1))
  local server = assert(socket.socket("AF_INET", "SOCK_DGRAM")):settimeout(10)
  assert(server:bind("127.0.0.1", 53))
  local INET = { family = "AF_INET" } -- for one question, and not two
  local function within(seconds)
    return { family = "AF_INET", timeout = seconds }
  end

  -- How many helper threads there are; waits until there are `wanted`, if that is given.
  local function threads(wanted)
    local deadline, count = socket.monotime() + 10, nil
    repeat
      if count then socket.select(nil, nil, 0.002) end
      local file <close> = io.open "/proc/self/status"
      count = tonumber(file:read "a":match "Threads:%s*(%d+)") - 1
    until not wanted or count == wanted or socket.monotime() > deadline
    return count
  end

  -- Takes a question, and gives its name and a function that says what its address is, or that there is no such name.
  local function question()
    local packet, from = assert(server:recvfrom())
    local name, at = {}, 13
    while packet:byte(at) ~= 0 do
      name[#name + 1] = packet:sub(at + 1, at + packet:byte(at))
      at = at + packet:byte(at) + 1
    end
    return table.concat(name, "."), function(host)
      local address = host and (">I2I2I2I4s2"):pack(0xc00c, 1, 1, 0, socket.inet_pton("AF_INET", host)) or ""
      server:sendto(packet:sub(1, 2) .. (">I2I2I2I4"):pack(host and 0x8180 or 0x8183, 1, host and 1 or 0, 0)
        .. packet:sub(13, at + 4) .. address, from)
    end
  end

  -- The code of a failure.
  local function code(...)
    return (select(3, ...))
  end

  -- Gives look-ups up until `count` threads have asked for one each; gives the functions that answer them.
  local function occupy(count, getaddrinfo)
    local answers, n = {}, 0
    repeat
      n = n + 1
      assert(code(getaddrinfo(n .. ".test", 80, within(0.001))) == "timeout")
      if socket.select({ server }, nil, 0.01)[1] then answers[#answers + 1] = select(2, question()) end
    until #answers == count
    return answers
  end

  -- For how long others had the processor: see spec/net.lua.
  local function heldup()
    local file <close> = io.open "/proc/self/schedstat"
    return file and select(2, file:read("n", "n")) / 1e9 or 0
  end

  -- f(...) has to take so many seconds; gives its results.
  local function takes(seconds, f, ...)
    local before, start = heldup(), socket.monotime()
    local results = table.pack(f(...))
    local took = socket.monotime() - start
    local late = took - seconds - (heldup() - before)
    if took < seconds or late > SLACK then error(("took %f s and not %f"):format(took, seconds), 2) end
    return table.unpack(results, 1, results.n)
  end
]]

local function script(code)
  return helper.saved(("local SLACK <const>, MOST <const> = %g, %d\n"):format(SLACK, MOST), PRELUDE, code)
end

-- What a script there says, and its exit status.
local function run(code, options)
  return helper.shell(nameserver.there(helper.command(script(code)), options))
end

-- A script there that goes on meanwhile.
local function start(code)
  return process.shell(nameserver.there(helper.command(script(code))))
end

local function says(expected, code, options)
  local output, status = run(code, options)
  assert.equal(expected, output)
  assert.equal(0, status)
end

describe("a name server that says nothing #process", function()
  it("holds up no call beyond its timeout", function()
    says("timeout\ntimeout\ntimeout\ntimeout\ntimeout\ntimeout\nEAGAIN\n", [[
      print(code(takes(0.2, socket.getaddrinfo, "a.test", 80, { timeout = 0.2 })))
      local s = assert(socket.socket("AF_INET", "SOCK_DGRAM")):settimeout(0.2)
      print(code(takes(0.2, s.connect, s, "b.test", 80)))
      print(code(takes(0.2, s.sendto, s, "x", "c.test", 80)))
      print(code(takes(0.2, s.bind, s, "d.test", 80)))
      print(code(takes(0.2, socket.connect, "e.test", 80, { timeout = 0.2 })))
      print(code(takes(0.2, socket.connect, "127.0.0.1", 80, { timeout = 0.2, bind = "f.test" })))
      print(code(takes(0, socket.connect, "127.0.0.1", 80, { timeout = 0, bind = "g.test" })))
    ]])
  end)

  it("does not hold up what needs none", function()
    says("127.0.0.1\t127.0.0.1\tlocalhost\tEAGAIN\n", [[
      assert(code(socket.getaddrinfo("a.test", 80, { timeout = 0.01 })) == "timeout")
      print(takes(0, function()
        return socket.getaddrinfo("localhost", 80, INET)[1].address.host,
          socket.getaddrinfo("127.1", 80, { timeout = 0, family = "AF_INET" })[1].address.host,
          (socket.getnameinfo(socket.address("AF_INET", "127.0.0.1", 80))),
          code(socket.getaddrinfo("a.test", 80, { timeout = 0 }))
      end))
    ]])
  end)

  for how, exit in pairs {
    ["by itself"] = "", ["by os.exit"] = "os.exit(0)", ["closing its state"] = "os.exit(0, true)",
  } do
    it("does not keep a program from ending " .. how, function()
      local command = nameserver.there(helper.command(script([[
        occupy(MOST, socket.getaddrinfo)
        print(threads(), socket.monotime())
      ]] .. exit)))
      local output, status = helper.shell(command)
      local over = socket.monotime()
      local count, before = output:match "^(%d+)\t(%S+)\n$"
      assert.equal(MOST, tonumber(count), output)
      assert.equal(0, status)
      assert.is_true(over - tonumber(before) < 10) -- it asks for longer
    end)
  end

  it("gets no more than a few threads and no descriptors, whoever gives up", function()
    says("8 threads, 0 descriptors\ntimeout\ntimeout\n127.0.0.1\n", [[
      local function descriptors()
        local n = 0
        for fd = 0, 255 do n = n + (socket.select({ fd }, nil, 0) and 1 or 0) end
        return n
      end
      local before = descriptors()
      local answers = occupy(MOST, socket.getaddrinfo)
      for i = 1, 100 do
        assert(code(socket.getaddrinfo(i .. ".test", 80, within(0.001))) == "timeout")
      end
      print(threads() .. " threads, " .. descriptors() - before - 8 .. " descriptors")
      -- a thread is to be waited for, within the timeout
      print(code(takes(0.1, socket.getaddrinfo, "localhost", 80, within(0.1))))
      -- what nobody waits for any more is thrown away when it comes, and not asked for when its turn does
      for i = 1, 8 do answers[i](i % 2 == 0 and "192.0.2.1" or nil) end
      print(code(socket.getaddrinfo("last.test", 80, within(1))))
      assert((question()) == "last.test")
      print(takes(0, socket.getaddrinfo, "localhost", 80, INET)[1].address.host)
    ]])
  end)

  it("does not keep Ctrl-C from a script", function()
    for _, call in ipairs {
      "socket.getaddrinfo('a.test')", "socket.getaddrinfo('a.test', 80, { timeout = 20 })",
      "socket.getnameinfo(socket.address('AF_INET', '192.0.2.1', 80))", "socket.connect('a.test', 80)",
      "socket.address('AF_INET', 'a.test', 80)",
      "coroutine.wrap(function() socket.getaddrinfo('a.test') end)()",
    } do
      local program <close> = start([[
        local first = assert(socket.socket())
        local fd = first:fileno()
        first:close()
        print "asks"
        print(pcall(function() return ]] .. call .. [[ end))
        question() -- it did
        print(socket.socket():fileno() == fd) -- nothing is left open meanwhile
      ]])
      assert.equal("asks", process.line(program))
      process.blocked(program.pid)
      program:kill "INT"
      local output, status = process.rest(program)
      assert.match("^false\t[^\n]*interrupted!\ntrue\n$", output)
      assert.equal(0, status)
    end
  end)

  it("has threads that leave all signals to the program", function()
    says("yes\n", [[
      socket.getaddrinfo("a.test", 80, within(0.01))
      local masks = {}
      -- $PPID of popen's shell is this process
      local ids <close> = io.popen "ls -d /proc/$PPID/task/*"
      for id in ids:lines() do
        local file <close> = assert(io.open(id .. "/status"))
        masks[#masks + 1] = file:read "a":match "SigBlk:%s*(%x+)"
      end
      table.sort(masks)
      assert(#masks == 2, #masks)
      assert(tonumber(masks[1], 16) == 0, masks[1])
      -- but for SIGKILL, SIGSTOP, and those that the C library has for itself
      local own = 1 << 8 | 1 << 18 | 1 << 31 | 1 << 32 | 1 << 33
      print((tonumber(masks[2], 16) | own) == -1 and "yes" or masks[2])
    ]])
  end)

  it("does not concern another Lua state, nor outlive its own by more than a look-up", function()
    says("127.0.0.1\n127.0.0.1\n1 thread\n", ([[
      local other = assert(package.loadlib(%q, "luaopen_bsdsocket_core"))()
      local answers = occupy(MOST, other.getaddrinfo)
      print(takes(0, socket.getaddrinfo, "localhost", 80, INET)[1].address.host)
      other = nil
      collectgarbage()
      collectgarbage()
      print(takes(0, socket.getaddrinfo, "localhost", 80, INET)[1].address.host)
      for i = 1, 8 do answers[i]() end
      print(takes(0, threads, 1) .. " thread") -- ours
    ]]):format(object))
  end)
end)

describe("helper threads #process", function()
  it("end when nobody has needed them for a while", function()
    says("1\n1\n0\n", [[
      socket.getaddrinfo("localhost")
      print(threads())
      for _ = 1, 50 do socket.getaddrinfo("localhost") end
      print(threads())
      print(threads(0))
    ]])
  end)

  it("are not there in a child that was forked, which makes its own", function()
    local fork = require "fault.build" "fork"
    if not fork then helper.skip "no C compiler is here" end
    assert(socket.getaddrinfo "localhost")
    for _ = 1, 3 do
      assert.equal(7, fork.call(function()
        return socket.getaddrinfo("localhost", 80, { timeout = 10 }) and socket.getaddrinfo "localhost" and 7
      end))
      assert(socket.getaddrinfo("localhost", 80, { timeout = 10 }))
    end
    -- the state may be closed there, too
    assert.equal(8, fork.call(function()
      local other = { assert(package.loadlib(object, "luaopen_bsdsocket_core"))() }
      assert(other[1].getaddrinfo "localhost")
      return fork.call(function()
        other[1] = nil
        collectgarbage()
        collectgarbage()
        return 8
      end)
    end))
  end)

  it("may not be had: then the resolver is asked without them", function()
    local preload = process.preload [[
      static int few;
      int pthread_create (pthread_t *t, const pthread_attr_t *attr, void *(*f) (void *), void *arg) {
        int (*real) (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
        return few++ < atoi(getenv("FEW")) ? real(t, attr, f, arg) : EAGAIN;
      }
    ]]
    local output = helper.shell(preload .. "FEW=0 " .. helper.command("-e", [[
      local socket = require "bsdsocket"
      print(socket.getaddrinfo("localhost", 80)[1].address.port)
      print(socket.getaddrinfo("localhost", 80, { timeout = 5 })[1].address.port)
    ]]))
    assert.equal("80\n80\n", output)
    -- with one of them, others wait for it, within their timeouts
    output = helper.shell(nameserver.there(preload .. "FEW=1 " .. helper.command(script [[
      local answers = occupy(1, socket.getaddrinfo)
      print(code(takes(0.2, socket.getaddrinfo, "localhost", 80, within(0.2))))
      answers[1]()
      print(socket.getaddrinfo("localhost", 80, within(5))[1].address.port)
    ]])))
    assert.equal("timeout\n80\n", output)
  end)

  it("find their code when the library has been unloaded meanwhile", function()
    if helper.instrumented then helper.skip "the library is linked otherwise here" end
    local dir = helper.tmpdir()
    helper.save(dir .. "/host.c", [[
      #include <stdio.h>
      #include <string.h>
      #include <time.h>
      #include <lauxlib.h>
      #include <lualib.h>

      static int threads (void) {
        char line[256];
        int n = 0;
        FILE *f = fopen("/proc/self/status", "r");
        while (f != NULL && fgets(line, sizeof(line), f) != NULL) sscanf(line, "Threads: %d", &n);
        if (f != NULL) fclose(f);
        return n;
      }

      int main (int argc, char **argv) {
        struct timespec rest = {0, 10000000};
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        if (luaL_dofile(L, argv[argc - 1]) != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
        lua_close(L);
        printf("%d\n", threads());
        for (int i = 0; i < 1000 && threads() > 1; i++) nanosleep(&rest, NULL);
        printf("%d\n", threads());
        return 0;
      }
    ]])
    local built
    for _, library in ipairs(helper.libraries) do
      local _, status = helper.shell(("${CC:-cc} -Wl,-E -I\"$(sh tools/find.sh include)\" -o %s/host %s/host.c -l%s "
        .. "-lm -ldl"):format(dir, dir, library))
      built = status == 0
      if built then break end
    end
    if not built then helper.skip "the C library of Lua 5.4 is not here to link a program with" end
    -- linked as luarocks does it, without -z nodelete
    local objects = helper.shell("find csrc -name '*.c'"):gsub("csrc/([%w/]+)%.c\n", build .. "/%1.o ")
    local output, status = helper.shell(("mkdir %s/bsdsocket && ${CC:-cc} -shared -o %s/bsdsocket/core.so %s"
      .. "-pthread"):format(dir, dir, objects))
    assert(status == 0, output)
    local command = helper.command("-e", ""):gsub(" '[^']*' '%-e' ''$", "")
      :gsub("LUA_CPATH_5_4='[^']*'", "LUA_CPATH_5_4='" .. dir .. "/?.so'")
    output, status = helper.shell(nameserver.there(command .. " " .. dir .. "/host " .. script [[
      occupy(1, socket.getaddrinfo)
    ]], "timeout:1 attempts:1"))
    assert.equal("2\n1\n", output)
    assert.equal(0, status)
  end)
end)
