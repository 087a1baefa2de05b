-- Runs busted under the very Lua that runs this file: `lua5.4 spec/run.lua [options] [files]`.
-- busted's own script starts under whatever `lua` is, and hands its arguments on unquoted.
table.insert(arg, 1, "--ignore-lua")
require "busted.runner" { standalone = false }
