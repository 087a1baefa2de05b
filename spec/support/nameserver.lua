-- A network of their own (spec/support/namespace.lua) for scripts whose resolver shall ask a name server that they are
-- themselves, at 127.0.0.1, port 53, once they have brought the loopback interface up.
--
--   nameserver.there(command, options)   the shell command that runs `command` there; skips where that cannot be had.
--                                        `options` are those of resolv.conf(5); unless they say otherwise, one question
--                                        is asked, and the answer waited for, for longer than any spec takes.
local helper = require "spec.support.helper"
local namespace = require "spec.support.namespace"

local nameserver = {}

function nameserver.there(command, options)
  local words, dir = namespace.words() .. " -m sh -c ", helper.tmpdir()
  helper.save(dir .. "/resolv.conf", "nameserver 127.0.0.1\noptions ", options or "timeout:30 attempts:1", "\n")
  helper.save(dir .. "/nsswitch.conf", "hosts: files dns\nservices: files\nprotocols: files\n")
  local mounts = ("for f in resolv nsswitch; do [ ! -e /etc/$f.conf ] || mount --bind %s/$f.conf /etc/$f.conf || exit; "
    .. "done; [ -e /etc/resolv.conf ]"):format(dir)
  local _, status = helper.shell(words .. helper.quote(mounts))
  if status ~= 0 then helper.skip "no resolv.conf can be put in the place of another here" end
  return words .. helper.quote(mounts .. " && exec env " .. command)
end

return nameserver
