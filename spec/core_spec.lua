-- What the library shares with nobody: the module as a whole, and several Lua states in one process.
local socket = require "bsdsocket"
local helper = require "spec.helper"

local build = os.getenv "BSDSOCKET_BUILD" or "build"
if not build:find "^/" then build = helper.root .. "/" .. build end
local object = build .. "/bsdsocket/core.so"

describe("the module", function()
  it("says its name and version", function()
    assert.truthy(socket._VERSION:find "^bsdsocket %d+%.%d+%.%d+$", socket._VERSION)
  end)

  it("is one table, and sets no global", function()
    assert.equal(socket, require "bsdsocket")
    local output = helper.lua("-e", [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "bsdsocket"
      for name in pairs(_G) do if not before[name] then print(name) end end
      print(select("#", require "bsdsocket"), type(require "bsdsocket"))
    ]])
    assert.equal("1\ttable\n", output)
  end)

  it("has values of four kinds: functions, integers, and its version", function()
    for name, value in pairs(socket) do
      assert.equal("string", type(name))
      if name ~= "_VERSION" then
        assert.truthy(type(value) == "function" or math.type(value) == "integer", name)
      end
    end
  end)

  it("touches nothing that the whole process shares: no signal, no mask, no directory", function()
    local function shared()
      local file = io.open "/proc/self/status"
      if not file then helper.skip "the state of a process is not to be seen here" end
      local lines = {}
      for line in file:lines() do
        local name, set = line:match "^(Sig[BIC]%a+):%s*(%x+)"
        if name then -- 32 to 34 are the C library's own, and no program's; the first thread makes it catch one
          lines[#lines + 1] = ("%s %x"):format(name, tonumber(set, 16) & ~(7 << 31))
        elseif line:find "^Umask" then
          lines[#lines + 1] = line
        end
      end
      file:close()
      return lines
    end
    local before = shared()
    local l <close> = assert(socket.listen("127.0.0.1", 0))
    local c <close> = assert(socket.connect(l:getsockname()))
    local conn <close> = assert(l:accept())
    assert.equal(1, c:send "x")
    assert.equal("x", conn:recv())
    c:close()
    conn:send "x"
    conn:send "x" -- SIGPIPE would be here
    conn:settimeout(0.001)
    l:settimeout(0.001)
    l:accept()
    local path = helper.tmpname()
    local u <close> = assert(socket.listen(socket.address("AF_UNIX", path), { mode = 384 }))
    assert(socket.getaddrinfo("localhost", 80))
    socket.select({ u }, nil, 0.001)
    assert.same(before, shared())
  end)

  it("is one symbol to the outside #process", function()
    local output, status = helper.shell("nm -D --defined-only " .. helper.quote(object))
    if status ~= 0 then helper.skip "nm is not here" end
    local ours = {}
    for name in output:gmatch "%x+ %a ([%w_.]+)" do
      -- the sanitizers' begin so; the other one is of what counts lines
      if not name:find "^_" and name ~= "mangle_path" then ours[#ours + 1] = name end
    end
    assert.same({ "luaopen_bsdsocket_core" }, ours)
  end)

  it("has no data that can be written and would be shared by Lua states #process", function()
    local output, status = helper.shell("objdump -t " .. helper.quote(build) .. "/*.o " .. helper.quote(build) .. "/*/*.o")
    if status ~= 0 then helper.skip "objdump is not here" end
    assert.truthy(output:find "bs_pushaddress")
    for line in output:gmatch "[^\n]+" do
      local section, name = line:match "^%x+ [lg]%s+O (%.%S+)%s+%x+ (%S+)$"
      if section and (section:find "^%.data" and not section:find "%.rel%.ro" or section:find "^%.bss") then
        assert.truthy(name:find "^[_.*]", line) -- so begin the sanitizers' and gcov's
      end
    end
  end)
end)

-- As two Lua states would have it: the library opened once more.
describe("a second instance of the library", function()
  local open, other
  setup(function()
    open = assert(package.loadlib(object, "luaopen_bsdsocket_core"))
    other = open "bsdsocket.core"
  end)

  it("works, and shares no object with the first", function()
    assert.not_equal(socket.socket, other.socket)
    local a, b = assert(other.socketpair())
    assert.equal(1, a:send "x")
    assert.equal("x", b:recv())
    local s <close> = assert(socket.socket())
    for name, method in pairs(getmetatable(s).__index) do
      helper.raises("s:" .. name, "socket expected, got socket", method, a)
    end
    helper.raises("s:bind", "expected, got address", function()
      return s:bind(other.address("AF_INET", "127.0.0.1", 0))
    end)
    helper.raises("address:unpack", "address expected, got address", other.address("AF_INET", "127.0.0.1", 0).unpack,
      socket.address("AF_INET", "127.0.0.1", 0))
    assert.is_false(socket.address("AF_INET", "127.0.0.1", 0) == other.address("AF_INET", "127.0.0.1", 0))
    assert.is_true(other.address("AF_INET", "127.0.0.1", 0) == other.address("AF_INET", "127.0.0.1", 0))
    a:close()
    b:close()
  end)

  it("goes when nobody has it any more, and takes its sockets along", function()
    local instance = open "bsdsocket.core"
    local a, b = assert(instance.socketpair())
    b:send "x"
    a:recv()
    local fds = { a:fileno(), b:fileno() }
    instance, a, b = nil, nil, nil -- luacheck: ignore
    helper.collects()
    collectgarbage()
    collectgarbage()
    for _, fd in ipairs(fds) do helper.fails("socket.fromfd", "EBADF", socket.fromfd(fd)) end
  end)
end)

describe("many Lua states in two threads #process", function()
  it("do not meet, and leave nothing open", function()
    local dir = helper.tmpdir()
    helper.save(dir .. "/host.c", [[
      #include <fcntl.h>
      #include <pthread.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <lauxlib.h>
      #include <lualib.h>

      static const char *script;

      static void *run (void *unused) {
        for (int i = 0; i < 20; i++) {
          lua_State *L = luaL_newstate();
          luaL_openlibs(L);
          if (luaL_dostring(L, script) != LUA_OK) {
            fprintf(stderr, "%s\n", lua_tostring(L, -1));
            exit(1);
          }
          lua_close(L);
        }
        return unused;
      }

      int main (int argc, char **argv) {
        pthread_t threads[2];
        int open = 0;
        script = argv[argc - 1];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, NULL);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        for (int fd = 3; fd < 256; fd++) open += fcntl(fd, F_GETFD) >= 0;
        printf("%d left\n", open);
        return 0;
      }
    ]])
    local flags <close> = io.open(build .. "/flags") or assert(io.open(dir .. "/host.c"))
    local sanitize = (flags:read "a" or ""):match "%-fsanitize=%S+" or ""
    local built
    for _, library in ipairs(helper.libraries) do
      local _, status = helper.shell(("cd %s && ${CC:-cc} %s -pthread -Wl,-E -I\"$(sh tools/find.sh include)\" "
        .. "-o %s/host %s/host.c -l%s -lm -ldl"):format(helper.quote(helper.root), sanitize, dir, dir, library))
      built = status == 0
      if built then break end
    end
    if not built then helper.skip "the C library of Lua 5.4 is not here to link a program with" end
    local before = helper.shell(dir .. "/host 'return'")
    assert.truthy(before:find "^%d+ left\n$", before)
    -- the paths are those that helper.command gives to Lua
    local command = helper.command("-e", ""):gsub(" '[^']*' '%-e' ''$", "")
    local output = helper.shell(command .. " " .. dir .. "/host " .. helper.quote [[
      local socket = require "bsdsocket"
      local l = assert(socket.listen("127.0.0.1", 0))
      local c = assert(socket.connect(l:getsockname()))
      local conn, from = assert(l:accept())
      assert(from == c:getsockname())
      for i = 1, 50 do
        assert(c:send(("x"):rep(i)) == i)
        assert(conn:recv() == ("x"):rep(i))
      end
      c:settimeout(0.001)
      assert(select(3, c:recv()) == "timeout")
      assert(select(3, socket.socket(-1)) == "EAFNOSUPPORT")
      local p = assert(socket.poller()):add(c, "w")
      for s, events in p:wait() do assert(s == c and events == "w") end
      assert(#socket.getifaddrs() > 0 and socket.getaddrinfo("127.0.0.1", 80))
      keep = { p, c } -- nobody closes them but lua_close
    ]])
    assert.equal(before, output)
  end)
end)
