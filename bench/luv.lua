-- The workloads through luv, by its callbacks.
local uv = require "luv"
local subject = require "bench.subject"

local message, piece, datagram, batch = subject.message, subject.piece, subject.datagram, subject.batch
local work = {}

--- Calls f with a stream once it is connected, and lives as long as anything is open.
local function connected(s, connect, place, f)
  connect(s, place, function(err)
    assert(not err, err)
    f(s)
  end)
  uv.run()
end

local function tcp(port, f)
  connected(uv.new_tcp(), function(s, place, done) s:connect("127.0.0.1", place, done) end,
    tonumber(port), f)
end

local function pinger(count)
  return function(s)
    local n, left = 0, count
    s:write(message)
    s:read_start(function(err, data)
      assert(not err and data, err)
      n = n + #data
      if n < 16 then return end
      n, left = n - 16, left - 1
      if left > 0 then s:write(message) else s:close() end
    end)
  end
end

function work.tcp_pingpong(count, port)
  tcp(port, pinger(count))
end

function work.unix_pingpong(count, path)
  connected(uv.new_pipe(false), uv.pipe_connect, path, pinger(count))
end

function work.recv(_, port)
  tcp(port, function(s)
    s:read_start(function(err, data)
      assert(not err, err)
      if not data then s:close() end
    end)
  end)
end

function work.send(count, port)
  tcp(port, function(s)
    local left = count
    local function more(err)
      assert(not err, err)
      left = left - 1
      if left < 0 then s:close() else s:write(piece, more) end
    end
    more()
  end)
end

function work.accept(count)
  local server = uv.new_tcp()
  assert(server:bind("127.0.0.1", 0))
  server:listen(128, function(err)
    assert(not err, err)
    local s = uv.new_tcp()
    server:accept(s)
    s:read_start(function(_, data)
      if data then s:write(data, function() s:close() end) else s:close() end
    end)
    count = count - 1
    if count == 0 then server:close() end
  end)
  subject.tell(server:getsockname().port)
  uv.run()
end

local function udp()
  local s = uv.new_udp()
  assert(s:bind("127.0.0.1", 0))
  return s
end

function work.udp_send(count, port, udpport)
  local s, to = udp(), tonumber(udpport)
  tcp(port, function(control)
    control:read_start(function(err)
      assert(not err, err)
      for _ = 1, batch do s:try_send(datagram, "127.0.0.1", to) end
      control:write "x"
      count = count - batch
      if count <= 0 then
        control:close()
        s:close()
      end
    end)
  end)
end

function work.udp_recv(_, port, udpport)
  local s, n = udp(), 0
  tcp(port, function(control)
    local function receive(err, data)
      assert(not err, err)
      if not data then return end
      n = n + 1
      if n % batch == 0 then
        s:recv_stop() -- what comes when it is the other side's turn is to wait
        control:write "x"
      end
    end
    control:read_start(function(err, data)
      assert(not err, err)
      if data then
        s:recv_start(receive)
      else
        control:close()
        s:close()
      end
    end)
    s:try_send("x", "127.0.0.1", tonumber(udpport))
  end)
end

function work.echo()
  local server = uv.new_tcp()
  assert(server:bind("127.0.0.1", 0))
  server:listen(4096, function(err)
    assert(not err, err)
    local s = uv.new_tcp()
    server:accept(s)
    s:read_start(function(_, data)
      if data then s:write(data) else s:close() end
    end)
  end)
  subject.tell(server:getsockname().port)
  uv.run()
end

subject.main("luv " .. uv.version_string(), work)
