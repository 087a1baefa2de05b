---@meta bsdsocket.loop

-- # bsdsocket.loop
--
-- Many sockets in one thread: every connection has a *task* of its own, which is written as if it were alone.
--
-- ```lua
-- local socket, loop = require "bsdsocket", require "bsdsocket.loop"
-- loop.run(function()
--   local server <close> = assert(socket.listen("127.0.0.1", 8001))
--   for conn in server:clients() do
--     loop.spawn(function()
--       local conn <close> = conn
--       for data in conn:chunks() do assert(conn:sendall(data)) end
--     end)
--   end
-- end)
-- ```
--
-- In a task every call is what it is elsewhere: the same name, the same results, the same timeout. But where it has
-- to wait, only its task does, and meanwhile others run: in all methods of sockets that wait, and in `socket.connect`,
-- `socket.select`, `p:wait`, and look-ups of names. Two tasks never run at the same time, and one gives way to
-- another in such calls only.
--
-- One task at a time receives on a socket, another is told `EBUSY`; those that send take turns: see [Several tasks on
-- one socket](#several-tasks-on-one-socket). Who waits on a socket that is closed is told `EBADF`.
--
-- A coroutine that a program makes inside a task is not a task: a call in it that has to wait raises an error that
-- names `loop.wrap`, which makes generators whose waits pass through. A `coroutine.yield` with no
-- generator around it ends its task with an error. Where Lua itself cannot yield (inside the function of `table.sort`
-- or `string.gsub`, in `__gc`, in `__close` of a task that is cancelled), a call blocks the thread, under its timeout.
--
-- Ctrl-C in `loop.run` cancels every task, and then raises `interrupted!`, with a line for each task and where it waited.
-- So does a deadlock, where every task waits for another to end: it raises.

---@class bsdsocket.loop
local Loop = {}

-- ## Running

--- Runs tasks until every one of them has ended, or `loop.stop` is called: `f` in one of its own, those that were
--- spawned before, and those that they spawn. If `f` fails, the others are cancelled and its error is raised. No descriptor and no task
--- is left behind, and it can be called again. `loop.traceback` tells where `f` failed.
---
--- While every task waits, Lua makes no values, and its collector does not run: a socket that a task has forgotten stays
--- open meanwhile. Close what is to be closed, by `<close>` or `s:close()`; `collectgarbage()` now and then, by a task
--- that sleeps, helps where that cannot be.
---
--- Errors:
--- * raises: inside a task; what is no function; any error of `f`.
---@param f? fun(...): any
---@param ... any arguments of `f`
---@return any ... what `f` returns, or what `loop.stop` was given
function Loop.run(f, ...) end

--- Ends the loop: every other task is cancelled, its `<close>` variables run, and so is the calling one, at its next
--- wait. `loop.run` returns these values. Called again it does nothing, and once the function of `loop.run` has failed
--- it is too late: that error is raised. A task that is spawned afterwards never begins.
---
--- ```lua
--- loop.run(function()
---   loop.spawn(function() while true do print "still here" loop.sleep(1) end end)
---   loop.sleep(3)
---   loop.stop()
--- end)
--- ```
---
--- Errors:
--- * raises: outside of `loop.run`.
---@param ... any what `loop.run` returns
---@return nil
function Loop.stop(...) end

--- Makes a task that runs `f`. It begins when the task that runs now waits; outside of every task, with the next
--- `loop.run`.
---
--- An error in a task that nobody joins is written to stderr with its traceback, or told to the function of
--- `loop.onerror`, and ends that task alone. It is told as soon as all others had their turn: who joins only later gets
--- the error all the same.
---
--- Errors:
--- * raises: what is no function.
---@param f fun(...): any
---@param ... any arguments of `f`
---@return bsdsocket.Task task
function Loop.spawn(f, ...) end

--- What `coroutine.wrap` is, for generators that wait: a wait inside `f` suspends the task that asked for the
--- next value. Outside of a task it is no different from `coroutine.wrap`.
---
--- ```lua
--- local loop = require "bsdsocket.loop"
--- local function words(s)
---   return loop.wrap(function()
---     for line in s:lines() do
---       for word in line:gmatch "%S+" do coroutine.yield(word) end
---     end
---   end)
--- end
--- ```
---
--- Errors:
--- * raises: what is no function.
---@param f fun(...): any
---@return fun(...): any generator
function Loop.wrap(f) end

-- ## Time

--- Sleeps. With 0 every other task that can run has its turn first. Outside of a task it is a plain sleep.
---
--- Errors:
--- * raises: what is no number, or negative, or NaN.
---@param seconds number
---@return nil
function Loop.sleep(seconds) end

--- The monotonic time in seconds, by which the loop keeps its deadlines.
---@return number seconds
function Loop.now() end

--- Calls `f`, and gives it up if it still waits after so many seconds: its `<close>` variables are closed then, and
--- nothing in it goes on. Tasks that it has spawned do. The message tells what was being waited for, and where: `timeout
--- in read, client.lua:12: timed out`.
---
--- ```lua
--- local data, message, code = loop.timeout(5, function()
---   local s <close> = assert(socket.connect("127.0.0.1", 8001))
---   assert(s:write "hello\n")
---   return s:read "a"
--- end)
--- ```
---
--- Errors:
--- * `timeout`: the time has passed first.
--- * raises: outside of every task, or where Lua cannot yield; a time that is no number, or negative, or NaN; any
---   error of `f`.
---@param seconds number `math.huge`: for ever
---@param f fun(...): any
---@param ... any arguments of `f`
---@return any result what `f` returns, all of it, or nil at the time
---@return string? message
---@return bsdsocket.Code? code
function Loop.timeout(seconds, f, ...) end

-- ## Descriptors of other libraries

--- Waits until a descriptor is ready. Hang-up and error count as ready for what was asked, and so do bytes
--- that were read ahead. Any number of tasks may wait for one. Outside of a task it blocks.
---
--- Errors:
--- * `timeout`: it was not ready in time.
--- * `EBADF`: it is closed, or was closed meanwhile by this library.
--- * raises: what has no descriptor, other events, a timeout that is negative or NaN.
---@param sock bsdsocket.Pollable
---@param events bsdsocket.Events
---@param timeout? number seconds; default: for ever, whatever the socket's own
---@return bsdsocket.Events? ready what is ready of it
---@return string? message
---@return bsdsocket.Code? code
function Loop.wait(sock, events, timeout) end

-- ## What the tasks do
--
-- Nothing of this costs anything before it is asked for: it is looked up in the tasks that wait.

--- A task, as `loop.tasks` tells of it.
---@class bsdsocket.TaskRow
---@field task bsdsocket.Task
---@field state "ready"|"waiting"|"running" ready: it can run, and its turn has not come
---@field call? string what it waits in, as messages name it: `"recv"`, `"join"`
---@field object? bsdsocket.Socket|bsdsocket.Poller what the call waits for, where that is one thing
---@field since number the seconds that it has waited, to some milliseconds; 0 if it does not
---@field where? string the line of the program where it is: `"server.lua:12"`

--- The tasks that have not ended, in no order: those before `loop.run`, too.
---
--- ```lua
--- for _, t in ipairs(loop.tasks()) do
---   if t.since > 60 then print(t.task, t.object) end --> task (waits in recv, server.lua:12)   socket (7, ...)
--- end
--- ```
---@return bsdsocket.TaskRow[] tasks
function Loop.tasks() end

--- Where the function of the last `loop.run` failed: the traceback of its error.
---@return string? traceback nil if it did not
function Loop.traceback() end

--- Sets who is told of errors of tasks that nobody joins: `f(task, error, traceback)` instead of stderr. It holds for this
--- Lua state, until it is changed; nil is stderr again.
---
--- The loop itself calls `f`, in no task: a call in it that has to wait blocks the thread. It may spawn tasks, and call
--- `loop.stop`. An error of `f` goes to stderr, after the one that it was told of. The traceback is nil where memory was
--- out.
---
--- ```lua
--- loop.onerror(function(task, err, traceback)
---   if tostring(err):find "Connection reset by peer" then return end -- those come and go
---   io.stderr:write(tostring(err), "\n", traceback or "", "\n")
--- end)
--- ```
---
--- Errors:
--- * raises: what is no function and not nil.
---@param f fun(task: bsdsocket.Task, error: any, traceback: string?)|nil
---@return nil
function Loop.onerror(f) end

-- ## Tasks
--
-- What `loop.spawn` gives. It may be forgotten: a task runs to its end all the same.

--- A task.
---@class bsdsocket.Task: userdata
local Task = {}

--- Waits for the end of the task. It may be asked again, and by several.
---
--- Errors:
--- * raises: by the task itself; where it would have to wait and cannot: outside of every task, or where Lua cannot
---   yield.
---@return boolean ok false: it failed, or was cancelled
---@return any ... its results; or its error, which is `"cancelled"` after a cancel
function Task:join() end

--- Ends the task where it waits: its `<close>` variables are closed before `cancel` returns, and nothing else in it
--- goes on; no `pcall` stops it.
---
--- Errors:
--- * raises: by the task itself.
---@return boolean ended false: it had ended before
function Task:cancel() end

--- Where the task waits, or has failed, with what called that: through `loop.timeout` and `loop.wrap`, the innermost first.
---
--- Errors:
--- * raises: for what is no task.
---@return string? traceback nil of one that runs, has not begun, was cancelled, or has ended without an error
function Task:traceback() end

--- The task at a glance: `task (waits in recv, server.lua:12)`, `task (ready, server.lua:12)`, `task (failed)`.
---@private
---@return string text
function Task:__tostring() end

return Loop
