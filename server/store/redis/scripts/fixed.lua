-- The common case: takes of one charge on a plain counter, which is a fixed
-- window without banked units. The value of a plain counter is the number of
-- units used. The key expires when its window ends. Redis may delete the key at
-- the start of that millisecond or keep it until the millisecond ends. A key
-- that has outlived its window is recognized by its short PTTL.
--
-- A key that counts past its capacity must expire with the window. If it does
-- not, another program or an older clock has set its time to live: the script
-- repairs it. So no refusal outlasts the window. docs/REDIS.md lists all values
-- that are repaired.
--
-- A step adds up equal takes of one counter. A run is a list of steps that have
-- the same arguments.
-- KEYS: the counter of each step.
-- ARGV, for each run:
--   units of each step, unit cost, capacity, 1 if refusals count too, length of
--   the window in us, number of steps.
-- The units of a step are the unit cost times the number of its takes.
-- Returns, packed as doubles: the time in us, the number of repaired keys, the
-- index of each repaired key, then for each step the value after all its units
-- were added (-1: the value is no number, and nothing was changed).
--
-- Local names save the lookup that each use of a global name costs.
local KEYS, ARGV, type, tonumber, pcall = KEYS, ARGV, type, tonumber, pcall
local call, try, format = redis.call, redis.pcall, string.format
local floor = math.floor
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local result = {}
local repaired = {}
local at = 1  -- the current step
-- In this time before a window, in ms, its counter may exist already: the clock
-- of Redis may have been corrected by a step backwards.
local TOLERANCE = 1000

local function give_back(key, used, units, unit, capacity)
  local before = used - units
  local fits = before >= capacity and 0 or floor((capacity - before) / unit)
  local excess = units - fits * unit
  if excess > 0 then call('DECRBY', key, format('%d', excess)) end
end

-- Deletes a value that belongs to the window before.
local function drop_old(key)
  local left = call('PTTL', key)
  if left >= 0 and left < 500 then call('DEL', key) end
end

-- Sets the expiry of a key whose value did not exist, or was negative. Returns
-- the value. A key that cannot expire would count for ever.
local function begin(i, used, units, number, expiry)
  if used < number then
    call('SET', KEYS[i], units, 'PXAT', expiry)
    repaired[#repaired + 1] = i
    return number
  end
  local set = try('PEXPIREAT', KEYS[i], expiry)
  if set == 1 then return used end
  try('DEL', KEYS[i])
  error(type(set) == 'table' and set.err or 'ERR no expiry was set', 0)
end

-- Repairs the expiry of a key that refuses.
local function check_expiry(i, expiry, window)
  local left = call('PTTL', KEYS[i])
  local most = expiry - now / 1000 + 2
  if most <= TOLERANCE then most = most + window / 1000 end
  if left >= 0 and left <= most then return end
  call('PEXPIREAT', KEYS[i], expiry)
  repaired[#repaired + 1] = i
end

-- Raises an error at the first step whose key has another kind of value.
-- Checking the type of each reply instead would slow down every step.
-- Parameters are faster to read than outer local variables.
local function add_all(last, units, number, unit, capacity, counts, window,
                       expiry, just_begun)
  local is_one = units == '1'
  for i = at, last do
    at = i
    local key = KEYS[i]
    if just_begun then drop_old(key) end
    local used = is_one and call('INCR', key) or call('INCRBY', key, units)
    if used <= number then used = begin(i, used, units, number, expiry) end
    if used > capacity then
      check_expiry(i, expiry, window)
      if not counts then give_back(key, used, number, unit, capacity) end
    end
    result[i] = used
  end
  at = last + 1
end

for run = 1, #ARGV, 6 do
  local units, unit = ARGV[run], tonumber(ARGV[run + 1])
  local capacity, counts = tonumber(ARGV[run + 2]), ARGV[run + 3] == '1'
  local window = tonumber(ARGV[run + 4])
  local start = now - now % window
  local expiry = format('%d', (start + window) / 1000)
  local last = at + ARGV[run + 5] - 1
  while at <= last do
    local done, why = pcall(add_all, last, units, tonumber(units), unit,
                            capacity, counts, window, expiry,
                            now - start < 2000)
    if not done then
      if type(why) == 'table' then why = why.err end
      if why:find('WRONGTYPE') then
        call('DEL', KEYS[at])
        repaired[#repaired + 1] = at
      elseif why:find('integer') or why:find('overflow') then
        result[at] = -1
        at = at + 1
      else
        -- Any other error is not about the value: the server is read-only, out
        -- of memory, or refuses a command to this user.
        return {err = why}
      end
    end
  end
end
local reply = struct.pack('<' .. ('d'):rep(#result), unpack(result))
if #repaired == 0 then return struct.pack('<dd', now, 0) .. reply end
return struct.pack('<dd' .. ('d'):rep(#repaired), now, #repaired,
                   unpack(repaired)) .. reply
