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
local KEYS, ARGV, type, tonumber, pcall = KEYS, ARGV, type, tonumber, pcall
local add, call, format = redis.call, redis.pcall, string.format
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local result = {now}
local at, run = 1, 1  -- the first key of the take under way, and its run
local place           -- of the charge under way in its take

local function read_charge(first)
  local window = tonumber(ARGV[first + 2])
  local start = now - now % window
  return {
    cost = ARGV[first], number = tonumber(ARGV[first]),
    is_one = ARGV[first] == '1',
    capacity = tonumber(ARGV[first + 1]),
    observes = ARGV[first + 3] == '1',
    just_begun = now - start < 2000,
    expiry = format('%d', (start + window) / 1000),
  }
end

-- Takes back what a charge has added; a counter that was not there goes.
local function undo(charge, key)
  if charge.used == charge.number then
    call('DEL', key)
  else
    call('DECRBY', key, charge.cost)
  end
end

-- What is left to do where a counter was not there, or is over its limit.
local function settle(charges, independent, refused)
  for i = 1, #charges do
    local charge, key = charges[i], KEYS[at + i - 1]
    local over = charge.used > charge.capacity and not independent
    if refused and not independent or over then
      undo(charge, key)
    elseif charge.used == charge.number then
      call('PEXPIREAT', key, charge.expiry)
    end
  end
end

local function take(charges, independent)
  local refused, settled = false, true
  for i = 1, #charges do
    local charge, key = charges[i], KEYS[at + i - 1]
    place = i
    if charge.just_begun and call('PTTL', key) < 500 then call('DEL', key) end
    local used = charge.is_one and add('INCR', key)
      or add('INCRBY', key, charge.cost)
    if used > charge.capacity then
      settled, refused = false, refused or not charge.observes
    elseif used == charge.number then
      settled = false
    end
    charge.used = used
    result[at + i] = used - charge.number
  end
  if not settled then settle(charges, independent, refused) end
  at = at + #charges
end

-- The charge under way found another kind of value: nothing of its take stays.
local function give_up(charges)
  for i = 1, #charges do
    if i < place then undo(charges[i], KEYS[at + i - 1]) end
    result[at + i] = -1
  end
  at = at + #charges
end

while run <= #ARGV do
  local independent, charges = ARGV[run + 2] == '1', {}
  for i = 1, tonumber(ARGV[run + 1]) do
    charges[i] = read_charge(run + 4 * i - 1)
  end
  local left = tonumber(ARGV[run])
  -- Ends with an error at the first take that finds another kind of value: to
  -- look at the type of each reply would cost every charge.
  local function take_all()
    while left > 0 do
      take(charges, independent)
      left = left - 1
    end
  end
  while left > 0 do
    local done, why = pcall(take_all)
    if not done then
      if type(why) == 'table' then why = why.err end
      -- Not of a value: of a server that may not write, or has no memory left.
      if not why:find('integer') and not why:find('overflow') then
        return {err = why}
      end
      give_up(charges)
      left = left - 1
    end
  end
  run = run + 3 + 4 * #charges
end
return struct.pack('<' .. ('d'):rep(#result), unpack(result))
