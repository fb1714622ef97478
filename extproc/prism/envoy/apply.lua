-- Applies what the route stage said to a request that reached it in one message: the header
-- changes, and the choice of a new route. They come in the request's metadata, as lines: a
-- name, then its value, empty where the header is to go. Where Prism was away there is nothing
-- to apply, and the request stays on its first route, the one of the failure mode.

function envoy_on_request(handle)
  -- The headers must wait here until Prism has answered, which it does once it has the body.
  handle:body()
  local metadata = handle:streamInfo():dynamicMetadata()
  local said = metadata:get("prism")
  local lines = said and said["headers"]
  if not lines then return end
  local headers = handle:headers()
  for name, value in lines:gmatch("([^\n]*)\n([^\n]*)\n") do
    if value == "" then headers:remove(name) else headers:replace(name, value) end
  end
  -- The provider's key is among them; the access log carries metadata.
  metadata:set("prism", "headers", "")
  handle:clearRouteCache()
end
