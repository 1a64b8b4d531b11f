-- Takes of several charges, each of a fixed window without a bank (see
-- fixed.lua for their values): all of a take or none.
--
-- KEYS: the counters of each take, one take after the other; within a take no
-- counter twice. ARGV, for each run of alike takes:
--   number of takes, number of charges of each, 1 when independent, then for
--   each charge its cost, capacity, length of the window in us, and 1 when it
--   only observes.
-- Gives now in us, then for each charge what its counter held before (for a
-- whole take -1: one has another kind of value; nothing was done), packed as
-- doubles.
local KEYS, ARGV, type, tonumber = KEYS, ARGV, type, tonumber
local call, format = redis.pcall, string.format
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local result = {now}
local at, run = 1, 1

local function read_charge(first)
  local window = tonumber(ARGV[first + 2])
  local start = now - now % window
  return {
    cost = ARGV[first], number = tonumber(ARGV[first]),
    capacity = tonumber(ARGV[first + 1]),
    observes = ARGV[first + 3] == '1',
    just_begun = now - start < 2000,
    expiry = format('%d', (start + window) / 1000),
  }
end

-- Takes back what a charge has added; a counter that was not there goes.
local function undo(charge, key, used)
  if used == charge.number then
    call('DEL', key)
  else
    call('DECRBY', key, charge.cost)
  end
end

local function take(charges, independent)
  local refused, strange = false, false
  for i = 1, #charges do
    local charge, key = charges[i], KEYS[at + i - 1]
    if charge.just_begun and call('PTTL', key) < 500 then call('DEL', key) end
    local used = call('INCRBY', key, charge.cost)
    if type(used) ~= 'number' then
      -- Not of a value: of a server that may not write, or has no memory left.
      if not used.err:find('integer') and not used.err:find('overflow') then
        return used
      end
      used, strange = -1, true
    elseif used > charge.capacity and not charge.observes then
      refused = true
    end
    charge.used = used
  end
  for i = 1, #charges do
    local charge, key = charges[i], KEYS[at + i - 1]
    local used = charge.used
    local over = used > charge.capacity and not independent
    if strange then
      if used >= 0 then undo(charge, key, used) end
      used = charge.number - 1
    elseif refused and not independent or over then
      undo(charge, key, used)
    elseif used == charge.number then
      call('PEXPIREAT', key, charge.expiry)
    end
    result[at + i] = used - charge.number
  end
  at = at + #charges
end

while run <= #ARGV do
  local independent, charges = ARGV[run + 2] == '1', {}
  for i = 1, tonumber(ARGV[run + 1]) do
    charges[i] = read_charge(run + 4 * i - 1)
  end
  for _ = 1, ARGV[run] do
    local failed = take(charges, independent)
    if failed then return failed end
  end
  run = run + 3 + 4 * #charges
end
return struct.pack('<' .. ('d'):rep(#result), unpack(result))
