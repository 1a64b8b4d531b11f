-- Takes of several charges on plain counters (see fixed.lua). Makes all charges
-- of a take, or no charge of it.
--
-- A run is a list of takes that have the same arguments.
-- KEYS: the counters of each take, one take after the other. A take has each
-- counter only once.
-- ARGV, for each run:
--   number of takes, number of charges of each take, 1 if independent, then for
--   each charge its cost, capacity, length of the window in us, and 1 if it
--   only observes.
-- Returns, packed as doubles: the time in us, the number of repaired keys, the
-- index of each repaired key, then for each charge the value of its counter
-- before the take (-1 for all charges of a take: a value is no number, and
-- nothing was changed). The repairs are those of fixed.lua.
local KEYS, ARGV, type, tonumber, pcall = KEYS, ARGV, type, tonumber, pcall
local call, format = redis.call, string.format
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local result, repaired = {}, {}
local TOLERANCE = 1000  -- see fixed.lua
local at, run = 1, 1  -- the first key of the current take; its run
-- The charges of the current take that are made but not completed are those from
-- `first` to before `place`.
local first, place

local function read_charge(first)
  local window = tonumber(ARGV[first + 2])
  local start = now - now % window
  return {
    cost = ARGV[first], number = tonumber(ARGV[first]),
    is_one = ARGV[first] == '1',
    capacity = tonumber(ARGV[first + 1]),
    observes = ARGV[first + 3] == '1',
    window = window,
    just_begun = now - start < 2000,
    expiry = format('%d', (start + window) / 1000),
  }
end

-- Undoes a charge. Deletes a counter that did not exist before.
local function undo(charge, key)
  if charge.used == charge.number then
    call('DEL', key)
  else
    call('DECRBY', key, charge.cost)
  end
end

local function drop_old(key)
  local left = call('PTTL', key)
  if left >= 0 and left < 500 then call('DEL', key) end
end

-- Repairs the expiry of a key that refuses.
local function check_expiry(key, index, charge)
  local left = call('PTTL', key)
  local most = charge.expiry - now / 1000 + 2
  if most <= TOLERANCE then most = most + charge.window / 1000 end
  if left >= 0 and left <= most then return end
  call('PEXPIREAT', key, charge.expiry)
  repaired[#repaired + 1] = index
end

-- Completes a take in which a counter was new or is over its limit.
local function finish_take(charges, independent, refused)
  place = #charges + 1
  for i = 1, #charges do
    first = i
    local charge, index = charges[i], at + i - 1
    local key, over = KEYS[index], charge.used > charge.capacity
    if over then check_expiry(key, index, charge) end
    if (refused or over) and not independent then
      undo(charge, key)
    elseif charge.used == charge.number then
      call('PEXPIREAT', key, charge.expiry)
    end
  end
end

local function take(charges, independent)
  local refused, finished = false, true
  first = 1
  for i = 1, #charges do
    local charge, index = charges[i], at + i - 1
    local key = KEYS[index]
    place = i
    if charge.just_begun then drop_old(key) end
    local used = charge.is_one and call('INCR', key)
      or call('INCRBY', key, charge.cost)
    if used <= charge.number then
      if used < charge.number then  -- the value was negative
        call('SET', key, charge.cost, 'PXAT', charge.expiry)
        used = charge.number
        repaired[#repaired + 1] = index
      end
      finished = false
    elseif used > charge.capacity then
      finished, refused = false, refused or not charge.observes
    end
    charge.used = used
    result[index] = used - charge.number
  end
  if not finished then finish_take(charges, independent, refused) end
  at = at + #charges
end

-- A key that cannot expire would count for ever.
local function roll_back(charges)
  for i = first, place - 1 do undo(charges[i], KEYS[at + i - 1]) end
end

local function leave_take(charges)
  for i = 1, #charges do result[at + i - 1] = -1 end
  at = at + #charges
end

while run <= #ARGV do
  local independent, charges = ARGV[run + 2] == '1', {}
  for i = 1, tonumber(ARGV[run + 1]) do
    charges[i] = read_charge(run + 4 * i - 1)
  end
  local left = tonumber(ARGV[run])
  -- Raises an error at the first take that finds another kind of value.
  -- Checking the type of each reply instead would slow down every charge.
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
      if why:find('WRONGTYPE') then
        roll_back(charges)
        call('DEL', KEYS[at + place - 1])
        repaired[#repaired + 1] = at + place - 1
      elseif why:find('integer') or why:find('overflow') then
        roll_back(charges)
        leave_take(charges)
        left = left - 1
      else
        -- Any other error is not about the value: the server is read-only, out
        -- of memory, or refuses a command to this user.
        pcall(roll_back, charges)
        return {err = why}
      end
    end
  end
  run = run + 3 + 4 * #charges
end
local reply = struct.pack('<' .. ('d'):rep(#result), unpack(result))
if #repaired == 0 then return struct.pack('<dd', now, 0) .. reply end
return struct.pack('<dd' .. ('d'):rep(#repaired), now, #repaired,
                   unpack(repaired)) .. reply
