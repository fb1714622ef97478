-- While Prism is away and the table's failure mode is Open, Envoy alone sends chat requests
-- to the default cell's first model. This puts that model's name where the client wrote
-- "model" and takes out "prism", and leaves every other byte as it is. The name comes with
-- the route (metadata). It runs upstream, on the way to the fallback's cluster alone.

-- The position after the string that begins at `at`.
local function after_string(text, at)
  local position = at + 1
  while true do
    local stop = text:find('["\\]', position)
    if not stop then return nil end
    if text:byte(stop) == 34 then return stop + 1 end
    position = stop + 2
  end
end

-- The position after the value that begins at `at`: nothing is checked but its end.
local function after_value(text, at)
  local first = text:byte(at)
  if first == 34 then return after_string(text, at) end
  if first ~= 123 and first ~= 91 then return text:match("^[^,}%]%s]*()", at) end
  local depth, position = 0, at
  while true do
    local stop = text:find('["{}%[%]]', position)
    if not stop then return nil end
    local byte = text:byte(stop)
    if byte == 34 then
      position = after_string(text, stop)
      if not position then return nil end
    else
      depth = depth + ((byte == 123 or byte == 91) and 1 or -1)
      position = stop + 1
      if depth == 0 then return position end
    end
  end
end

-- The top-level members, or nil where the text is not an object.
local function members(text)
  local found, position = {}, text:match("^[ \t\r\n]*{[ \t\r\n]*()")
  if not position then return nil end
  while text:byte(position) == 34 do
    local key_end = after_string(text, position)
    if not key_end then return nil end
    local value = text:match("^[ \t\r\n]*:[ \t\r\n]*()", key_end)
    local value_end = value and after_value(text, value)
    if not value_end then return nil end
    found[#found + 1] =
      { key = text:sub(position + 1, key_end - 2), start = position, value = value, stop = value_end }
    position = text:match("^[ \t\r\n]*,[ \t\r\n]*()", value_end)
    if not position then break end
  end
  return found
end

-- The text with the model's name replaced and the member "prism" cut out, or nil.
local function rewritten(text, model)
  local found = members(text)
  if not found then return nil end
  local edits, named = {}, false
  for index, member in ipairs(found) do
    if member.key == "model" then
      if named then return nil end
      named = true
      edits[#edits + 1] = { from = member.value, to = member.stop, with = model }
    elseif member.key == "prism" then
      local from, to = member.start, member.stop
      if found[index + 1] then
        to = found[index + 1].start
      elseif found[index - 1] then
        from = found[index - 1].stop
      end
      edits[#edits + 1] = { from = from, to = to, with = "" }
    end
  end
  if not named then return nil end
  local parts, position = {}, 1
  for _, edit in ipairs(edits) do
    parts[#parts + 1] = text:sub(position, edit.from - 1)
    parts[#parts + 1] = edit.with
    position = edit.to
  end
  parts[#parts + 1] = text:sub(position)
  return table.concat(parts)
end

function envoy_on_request(handle)
  local model = handle:metadata():get("model_json")
  if not model then return end
  local body = handle:body()
  local text = body and body:getBytes(0, body:length())
  local new = text and rewritten(text, model)
  if not new then
    handle:respond(
      { [":status"] = "400", ["content-type"] = "application/json" },
      '{"error":{"message":"The body must be a JSON object with one \\"model\\".",'
        .. '"type":"invalid_request_error","param":"model","code":"invalid_json"}}')
    return
  end
  handle:headers():replace("content-length", tostring(body:setBytes(new)))
end
