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
local KEYS, ARGV, type, tonumber, pcall = KEYS, ARGV, type, tonumber, pcall
local add, call, format = redis.call, redis.pcall, string.format
local floor, huge = math.floor, math.huge
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local result = {now}
local at = 1  -- the step under way

local function give_back(key, used, units, unit, capacity)
  local before = used - units
  local fits = before >= capacity and 0 or floor((capacity - before) / unit)
  local excess = units - fits * unit
  if excess > 0 then call('DECRBY', key, format('%d', excess)) end
end

-- Ends with an error at the first step that cannot be added to: to look at the
-- type of each reply would cost every step. Its parameters are quicker to read
-- than what is outside.
local function add_all(last, units, number, unit, capacity, most, expiry,
                       just_begun)
  local is_one = units == '1'
  for i = at, last do
    at = i
    local key = KEYS[i]
    if just_begun and call('PTTL', key) < 500 then call('DEL', key) end
    local used = is_one and add('INCR', key) or add('INCRBY', key, units)
    if used == number then call('PEXPIREAT', key, expiry) end
    if used > most then give_back(key, used, number, unit, capacity) end
    result[i + 1] = used
  end
  at = last + 1
end

for run = 1, #ARGV, 5 do
  local units, unit = ARGV[run], tonumber(ARGV[run + 1])
  local capacity, window = tonumber(ARGV[run + 2]), tonumber(ARGV[run + 3])
  local most = capacity < 0 and huge or capacity
  local start = now - now % window
  local expiry = format('%d', (start + window) / 1000)
  local last = at + ARGV[run + 4] - 1
  while at <= last do
    local done, why = pcall(add_all, last, units, tonumber(units), unit,
                            capacity, most, expiry, now - start < 2000)
    if not done then
      if type(why) == 'table' then why = why.err end
      -- Not of a value: of a server that may not write, or has no memory left.
      if not why:find('integer') and not why:find('overflow') then
        return {err = why}
      end
      result[at + 1] = -1
      at = at + 1
    end
  end
end
return struct.pack('<' .. ('d'):rep(#result), unpack(result))
