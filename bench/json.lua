-- JSON, as much of it as bench/results.json needs: no \u beyond ASCII, no null.
local json = {}

local function quote(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function isarray(t)
  return #t > 0 or next(t) == nil
end

--- Keys in the order of the alphabet, so that two results can be compared line by line; an array of numbers is
--- one line.
local function encode(value, indent)
  if type(value) == "string" then return quote(value) end
  if type(value) == "number" then return ("%.10g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts, deeper = {}, indent .. "  "
  if isarray(value) then
    for i, v in ipairs(value) do parts[i] = encode(v, deeper) end
    if type(value[1]) ~= "table" then return "[" .. table.concat(parts, ", ") .. "]" end
    return "[\n" .. deeper .. table.concat(parts, ",\n" .. deeper) .. "\n" .. indent .. "]"
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = quote(key) .. ": " .. encode(value[key], deeper) end
  return "{\n" .. deeper .. table.concat(parts, ",\n" .. deeper) .. "\n" .. indent .. "}"
end

function json.encode(value)
  return encode(value, "") .. "\n"
end

local escapes = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }
local words = { ["true"] = true, ["false"] = false }
local decode

--- Values up to the bracket that closes: `element` reads one into the table.
local function decodelist(text, i, close, element)
  local t = {}
  i = text:match("^%s*()", i)
  while text:sub(i, i) ~= close do
    i = element(t, i)
    i = text:match("^%s*,%s*()", i) or text:match("^%s*()", i)
    if i > #text then error "the text ends in the middle" end
  end
  return t, i + 1
end

--- The value at i, and where it ends.
function decode(text, i)
  i = text:match("^%s*()", i)
  local c = text:sub(i, i)
  if c == "{" then
    return decodelist(text, i + 1, "}", function(t, at)
      local key, after = decode(text, at)
      t[key], after = decode(text, assert(text:match("^%s*:()", after), "colon expected"))
      return after
    end)
  elseif c == "[" then
    return decodelist(text, i + 1, "]", function(t, at)
      t[#t + 1], at = decode(text, at)
      return at
    end)
  elseif c == '"' then
    local stop = i + 1
    while text:sub(stop, stop) ~= '"' do
      if stop > #text then error "a string does not end" end
      stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
    end
    local s = text:sub(i + 1, stop - 1):gsub("\\(.)(%x?%x?%x?%x?)", function(e, hex)
      return e == "u" and string.char(tonumber(hex, 16)) or (escapes[e] or e) .. hex
    end)
    return s, stop + 1
  end
  local word, after = text:match("^([%w.+-]+)()", i)
  if words[word] ~= nil then return words[word], after end
  return tonumber(word) or error("what is this: " .. text:sub(i, i + 20)), after
end

function json.decode(text)
  return (decode(text, 1))
end

return json
