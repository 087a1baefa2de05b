std = "lua54"
max_line_length = 120
exclude_files = { "build*", "lua_modules" }
include_files = { "**/*.lua", ".luacheckrc", ".busted", "*.rockspec" }
-- A loop variable or argument that is not wanted is called _; self may go unused.
self = false

files["spec"] = { std = "+busted" }
-- Annotations: declarations without bodies.
files["types"] = { ignore = { "212", "211", "221", "241", "631" } }
files["*.rockspec"] = { std = "+rockspec" }
files[".luacheckrc"] = { std = "+luacheckrc" }
