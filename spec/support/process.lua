-- What the specs of scripts and of the prompt need: programs beside this one, and a Lua at a pseudo-terminal.
--
--   process.start(script, ...)   a Lua script on this checkout; has line(), wait(), kill(signal) of examples/child.lua
--   process.shell(command)       the same for a shell command
--   process.rest(child)          all lines until it ends, as one string, and its exit status
--   process.blocked(pid)         returns when that process waits for something, and so do its helper threads; skips
--                                where nobody can tell
--   process.glimpsed(pid)        false where its wait was over before
--   process.interrupted(script, signal)  starts it, sends it that signal (INT unless told) once it has said "now" and
--                                waits for something: what it says then, and its status
--   process.confined(limit, code)  what this code says in a Lua of its own that may open so many descriptors, and its
--                                status. `socket` is there, and fill(list), which takes all descriptors that are left
--                                and stops the collector; without a list they are garbage then.
--   process.preload(functions)   what comes before a shell command so that these functions, in C, stand before those
--                                of the C library; skips where that cannot be
--   process.terminal(code)       `lua5.4 -i` at a pseudo-terminal, after it has run `code`
local socket = require "bsdsocket"
local helper = require "spec.support.helper"
local child = dofile "examples/child.lua"

local process = {}

local SECONDS = 20 -- what takes longer has failed

function process.deadline()
  return socket.monotime() + SECONDS
end

function process.shell(command)
  return child.start(command)
end

function process.start(...)
  return child.start("env " .. helper.command(...))
end

--- The next line, which has to come.
function process.line(program)
  local line, why = program:line(process.deadline())
  return line or error("no line came: " .. (why or "the program has ended"), 2)
end

function process.rest(program)
  local lines, deadline = {}, process.deadline()
  local line, why = program:line(deadline)
  while line do
    lines[#lines + 1] = line .. "\n"
    line, why = program:line(deadline)
  end
  if why then error("it does not end; it said:\n" .. table.concat(lines), 2) end
  return table.concat(lines), program:wait()
end

--- "S" where all threads of the process wait.
local function state(pid)
  local file <close> = io.open(("/proc/%s/stat"):format(pid))
  local fields = {}
  for field in (file and file:read "a" or ""):gsub("^.*%) ", ""):gmatch "%S+" do fields[#fields + 1] = field end
  local main, threads = fields[1] or "gone", fields[18]
  if main ~= "S" or threads == "1" then return main end
  local pipe <close> = assert(io.popen(("cat /proc/%s/task/*/stat 2>/dev/null"):format(pid)))
  for line in pipe:lines() do
    local one = line:match "%) (%a)"
    if one ~= "S" then return one end
  end
  return main
end

local function blocked(pid)
  if state "self" == "gone" then helper.skip "no /proc tells whether a process waits" end
  local deadline, times = process.deadline(), 0
  while times < 3 do
    local last = state(pid)
    times = last == "S" and times + 1 or 0
    if last == "gone" or last == "Z" or socket.monotime() > deadline then return false, last end
    socket.select(nil, nil, 0.001)
  end
  return true
end

--- It has to have said that nothing comes before the call that it shall wait in.
function process.blocked(pid)
  local waits, last = blocked(pid)
  if not waits then error(("process %d does not wait: its state is %s"):format(pid, last), 2) end
end

--- The same where it waits for a short time: false if that was over before it was seen.
function process.glimpsed(pid)
  local waits, last = blocked(pid)
  if not waits and last ~= "gone" and last ~= "Z" then
    error(("process %d does not wait: its state is %s"):format(pid, last), 2)
  end
  return waits
end

--- What it said to the end when Ctrl-C came: Lua's own message and traceback after it, and the status 1.
function process.stopped(program)
  local output, status = process.rest(program)
  local said, how = output:match "^(.-)[^\n]*interrupted!\n(.*)$"
  if not how or not how:find "^[^\n]*" or status ~= 1 then
    error(("it ended with %d, and said: %s"):format(status, output), 2)
  end
  return said
end

function process.interrupted(script, signal)
  local program <close> = process.start(script)
  local said = process.line(program)
  if said ~= "now" then error("it had to say now, and said: " .. said, 2) end
  process.blocked(program.pid)
  program:kill(signal or "INT")
  return process.rest(program)
end

local FILL = [[
  local socket = require "bsdsocket"
  local function fill(list)
    list = list or {}
    collectgarbage "stop"
    repeat
      local s, _, code = socket.socket()
      list[#list + 1] = s
    until not s and assert(code == "EMFILE")
  end
]]

function process.confined(limit, code)
  if select(2, helper.shell("ulimit -n " .. limit)) ~= 0 then
    helper.skip "more than 1024 descriptors are not allowed here"
  end
  return helper.shell(("ulimit -n %d; exec env %s"):format(limit, helper.command("-e", FILL .. code)))
end

function process.preload(functions)
  local dir = helper.tmpdir()
  helper.save(dir .. "/before.c", [[
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <netdb.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdlib.h>
    #include <unistd.h>
  ]], functions)
  local _, status = helper.shell("cd " .. dir .. " && ${CC:-cc} -shared -fPIC -o before.so before.c -ldl")
  -- the sanitizers' runtime has that place
  if status ~= 0 or helper.instrumented then
    helper.skip "a library cannot be made to stand before the C library here"
  end
  return ("LD_PRELOAD=%s/before.so "):format(dir)
end

---------------------------------------------------------------------------------------------------
-- A prompt at a pseudo-terminal, which `script` of util-linux makes. What is typed goes to it by a fifo.

local terminal = {}
terminal.__index = terminal

function process.terminal(code)
  if not helper.shell "script --version":find "util%-linux" then helper.skip "script of util-linux is not here" end
  local dir = helper.tmpdir()
  helper.save(dir .. "/first.lua", "socket = require 'bsdsocket'\n", code or "")
  assert(os.execute("mkfifo " .. dir .. "/keys"))
  local keys = assert(io.open(dir .. "/keys", "r+")) -- a fifo opened so waits for no reader, and raises no SIGPIPE
  keys:setvbuf "no"
  local lua = "exec env TERM=dumb COLUMNS=500 " .. helper.command("-i", dir .. "/first.lua")
  local program = child.start("script -qec " .. helper.quote(lua) .. " /dev/null <" .. dir .. "/keys")
  local self = setmetatable({keys = keys, program = program, said = {}, marks = 0}, terminal)
  self.pid = self:run "print((io.open '/proc/self/stat':read 'n'))":match "%d+$"
  return self
end

function terminal:type(keys)
  assert(self.keys:write(keys))
end

--- Lines up to one that matches all in all, which has to come.
function terminal:hear(pattern)
  local lines = {}
  repeat
    local line, why = self.program:line(process.deadline())
    if not line then
      error(("'%s' did not come (%s) after:\n%s"):format(pattern, why or "it has ended",
        table.concat(self.said, "\n")), 3)
    end
    line = line:gsub("\r", ""):gsub("^>+ ", "") -- a prompt, where what was typed had been echoed before it
    lines[#lines + 1], self.said[#self.said + 1] = line, line
  until line:find("^" .. pattern .. "$")
  return lines
end

--- A line that nothing else says, made by code that does not look like it when it is echoed.
function terminal:mark()
  self.marks = self.marks + 1
  return ("mark%d"):format(self.marks), ("print('mark'..%d)"):format(self.marks)
end

--- Types code, and gives what came until it was done, echo and prompts left out.
function terminal:run(code)
  local mark, print_mark = self:mark()
  self:type(code .. " " .. print_mark .. "\n")
  local lines, said = self:hear(mark), {}
  for _, line in ipairs(lines) do
    if line ~= mark and not line:find(print_mark, 1, true) then said[#said + 1] = line end
  end
  return table.concat(said, "\n")
end

--- Types code, and returns when Lua waits in it.
function terminal:waits(code)
  local mark, print_mark = self:mark()
  self:type(print_mark .. " " .. code .. "\n")
  self:hear(mark)
  process.blocked(self.pid)
end

function terminal:__close()
  self.program:__close()
  self.keys:close()
end

return process
