-- The common case: one charge of a fixed window without a bank. The value of
-- such a counter is what has been used, and it expires when its window ends:
-- not before, as Redis may drop a key as soon as its millisecond has come; but
-- it may keep it to the end of that millisecond. What outlives its window so is
-- told by its PTTL.
--
-- KEYS: one counter for each step. ARGV, for each run of alike steps:
--   units, unit cost, capacity (-1: refusals are counted), length of the window
--   in us, number of steps.
-- `units` is a multiple of the unit cost: that many callers, folded.
-- Gives now in us, then the value of each step after all its units were added
-- (-1: this is another kind of value; nothing was done), packed as doubles.
-- Local names, because each use of a global one is looked up.
local KEYS, ARGV, type, tonumber = KEYS, ARGV, type, tonumber
local call, format = redis.pcall, string.format
local floor = math.floor
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local result = {now}
local step = 1

local function give_back(key, used, units, unit, capacity)
  local before = used - units
  local fits = before >= capacity and 0 or floor((capacity - before) / unit)
  local excess = units - fits * unit
  if excess > 0 then call('DECRBY', key, format('%d', excess)) end
end

for run = 1, #ARGV, 5 do
  local units, unit = ARGV[run], tonumber(ARGV[run + 1])
  local capacity, window = tonumber(ARGV[run + 2]), tonumber(ARGV[run + 3])
  local number = tonumber(units)
  local start = now - now % window
  local expiry = format('%d', (start + window) / 1000)
  local just_begun = now - start < 2000
  for at = step, step + ARGV[run + 4] - 1 do
    local key = KEYS[at]
    if just_begun and call('PTTL', key) < 500 then call('DEL', key) end
    local used = call('INCRBY', key, units)
    if type(used) ~= 'number' then
      -- Not of a value: of a server that may not write, or has no memory left.
      if not used.err:find('integer') and not used.err:find('overflow') then
        return used
      end
      used = -1
    else
      if used == number then call('PEXPIREAT', key, expiry) end
      if used > capacity and capacity >= 0 then
        give_back(key, used, number, unit, capacity)
      end
    end
    result[at + 1] = used
  end
  step = step + ARGV[run + 4]
end
return struct.pack('<' .. ('d'):rep(#result), unpack(result))
