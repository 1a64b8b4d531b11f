-- The action lua.ratelimit ADDRESS: requests /v1/forward-auth from the proxy at
-- ADDRESS. Stores the answer in txn.ratelimit_status, txn.ratelimit_body and one
-- variable for each header of `answers`. The proxy sets the timeouts.

-- The headers that may identify the client. No other header is sent.
local identity = { "authorization", "x-api-key" }

-- The headers of the answer that are stored: txn.ratelimit_limit and so on.
local answers = {
  limit = "ratelimit-limit",
  remaining = "ratelimit-remaining",
  reset = "ratelimit-reset",
  retry_after = "retry-after",
  degraded = "x-ratelimit-degraded",
  model = "x-model",
}

core.register_action("ratelimit", { "http-req" }, function(txn, address)
  local sent = { ["x-forwarded-for"] = { txn.f:src() } }
  local headers = txn.http:req_get_headers()
  for _, name in ipairs(identity) do
    if headers[name] ~= nil then
      -- Send all values, so that ratelimitd sees when there are two tokens.
      -- The first index is 0.
      sent[name] = {}
      for i = 0, #headers[name] do
        table.insert(sent[name], headers[name][i])
      end
    end
  end

  local answer = core.httpclient():get({
    url = "http://ratelimitd/v1/forward-auth",
    dst = address,
    headers = sent,
  })
  if answer == nil or answer.status == nil or answer.status == 0 then
    return
  end
  txn:set_var("txn.ratelimit_status", answer.status)
  txn:set_var("txn.ratelimit_body", answer.body or "")
  for variable, name in pairs(answers) do
    local values = (answer.headers or {})[name]
    if values ~= nil then
      txn:set_var("txn.ratelimit_" .. variable, values[0])
    end
  end
end, 1)
