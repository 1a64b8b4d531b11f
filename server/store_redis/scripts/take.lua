-- Takes: any charges of any algorithm, each take all or nothing (or
-- independent). A transcription of server/limit and of store/judge_all.cc;
-- the model test holds it to them.
--
-- KEYS: every counter once. ARGV[1]: policies, ARGV[2]: takes; both doubles.
--   policy: algorithm, then
--     0 fixed    limit, burst upfront, burst earned, window us (0: calendar),
--                number of bounds, the bounds of a calendar's windows in us
--     1 sliding  limit, window us
--     2 bucket   limit, depth as seconds and ns
--   take:   number of charges, 1 when independent, then for each charge
--           counter, policy, kind (0 enforce, 1 observe, 2 report, 3 peek),
--           cost, and for a bucket the cost as seconds and ns
-- Gives now in us, then for each take 1 and for each charge the state of its
-- counter before the take; or 0 alone when a calendar's bounds do not reach
-- now and nothing was done. States: anchor us, used, carried; a bucket's are
-- seconds, ns, 0; an anchor of -1 is a counter never charged.
--
-- Numbers are doubles: exact up to 2^53, which is why amounts saturate at
-- 2^53 - 1, times are microseconds, and a bucket's times are pairs.
local MAX, BILLION, BANKED_WINDOWS = 9007199254740991, 1000000000, 10
local REPORT, PEEK = 2, 3
local min, max, floor, format = math.min, math.max, math.floor, string.format

local time = redis.call('TIME')
local now_s, now_ns = tonumber(time[1]), time[2] * 1000
local now = now_s * 1000000 + time[2]
local values = redis.call('MGET', unpack(KEYS))

local function reader(blob)
  local at = 1
  return function()
    local number
    number, at = struct.unpack('<d', blob, at)
    return number
  end, function() return at > #blob end
end

-- ceil(a * b / c) for 0 <= a < 2^53, 0 <= b <= c < 2^46: six bits of a at a
-- time, so that no number on the way needs more than 53.
local function mul_div_ceil(a, b, c)
  local quotient, rest, scale = 0, 0, 2 ^ 48
  while scale >= 1 do
    local digit = floor(a / scale)
    a = a - digit * scale
    local sum = rest * 64 + digit * b
    local part = floor(sum / c)
    rest = sum - part * c
    if rest < 0 then part, rest = part - 1, rest + c end
    if rest >= c then part, rest = part + 1, rest - c end
    quotient = quotient * 64 + part
    scale = scale / 64
  end
  return rest > 0 and quotient + 1 or quotient
end

-- The window that `at` lies in; nothing when the bounds do not reach it.
local function window_at(policy, at)
  local length = policy.window
  if length > 0 then
    local start = at - at % length
    return start, start + length
  end
  for i = 1, #policy - 1 do
    if policy[i] <= at and at < policy[i + 1] then
      return policy[i], policy[i + 1]
    end
  end
end

-- fixed_window.cc

local function idle_windows(policy, from, to)
  local length = policy.window
  if length > 0 then return min((to - from) / length - 1, BANKED_WINDOWS) end
  local first
  for i = 1, #policy do
    if policy[i] == from then first = i end
    if policy[i] == to then
      return first and min(i - first - 1, BANKED_WINDOWS) or BANKED_WINDOWS
    end
  end
  return BANKED_WINDOWS
end

local function turn_fixed(policy, state, start)
  local earned = policy.earned
  if not state.a then return 0, 0 end
  if state.a == start then return state.u, min(state.c, earned) end
  if earned == 0 then return 0, 0 end
  local idle = idle_windows(policy, state.a, start)
  if idle >= BANKED_WINDOWS then return 0, 0 end
  local from_bank = max(0, state.u - policy.limit)
  local unused = max(0, policy.limit - state.u)
  local left = max(0, min(state.c, earned) - from_bank) + unused
  return 0, min(earned, left + idle * policy.limit)
end

local function judge_fixed(policy, state, charge, always)
  local start, stop = window_at(policy, max(now, state.a or 0))
  local used, banked = turn_fixed(policy, state, start)
  local capacity = min(MAX, policy.limit + policy.upfront + banked)
  local cost = charge.cost
  if not (always or cost < 0 or cost <= capacity - used) then
    return false, state
  end
  if cost == 0 then return true, state end
  return true, {a = start, u = max(0, min(MAX, used + cost)), c = banked,
                stop = stop}
end

local function write_fixed(policy, state)
  if policy.earned == 0 then  -- as fixed.lua, which says why
    return format('%.0f', state.u),
      max(state.stop / 1000 - 1, floor(now / 1000) + 1)
  end
  local expiry = policy.window > 0
    and state.stop + BANKED_WINDOWS * policy.window or policy[#policy]
  return format('%.0f %.0f %.0f', state.a / 1000, state.u, state.c),
    expiry / 1000
end

-- sliding_window.cc

local function judge_sliding(policy, state, charge, always)
  local at = max(now, state.a or 0)
  local start, stop = window_at(policy, at)
  local used, before = 0, 0
  if state.a == start then
    used, before = state.u, state.c
  elseif state.a == start - policy.window then
    before = state.u
  end
  local faded = mul_div_ceil(before, stop - at, policy.window)
  local cost = charge.cost
  if not (always or cost < 0 or cost <= policy.limit - used - faded) then
    return false, state
  end
  if cost == 0 then return true, state end
  return true, {a = start, u = max(0, min(MAX, used + cost)), c = before,
                stop = stop}
end

local function write_sliding(policy, state)
  return format('%.0f %.0f %.0f', state.a / 1000, state.u, state.c),
    (state.stop + policy.window) / 1000
end

-- token_bucket.cc; durations and times are pairs of seconds and ns

local function before_pair(s1, n1, s2, n2)
  return s1 < s2 or s1 == s2 and n1 < n2
end

local function add_pairs(s1, n1, s2, n2)
  local n = n1 + n2
  if n >= BILLION then return s1 + s2 + 1, n - BILLION end
  return s1 + s2, n
end

local function subtract_pairs(s1, n1, s2, n2)
  if n1 < n2 then return s1 - s2 - 1, n1 + BILLION - n2 end
  return s1 - s2, n1 - n2
end

local BACKLOG_S, BACKLOG_NS = 1152921504, 606846975  -- INT64_MAX / 8 ns

local function judge_bucket(policy, state, charge, always)
  local cost, s, ns = charge.cost, 0, 0
  if state.a and before_pair(now_s, now_ns, state.a, state.u) then
    s, ns = subtract_pairs(state.a, state.u, now_s, now_ns)
  end
  local sum_s, sum_ns = s, ns
  if cost > 0 then
    sum_s, sum_ns = add_pairs(s, ns, charge.s, charge.ns)
  end
  if not (always or cost < 0 or
          not before_pair(policy.s, policy.ns, sum_s, sum_ns)) then
    return false, state
  end
  local backlog = s > 0 or ns > 0
  if policy.limit == 0 or cost == 0 or cost < 0 and not backlog then
    return true, state
  end
  if cost > 0 then
    if before_pair(BACKLOG_S, BACKLOG_NS, sum_s, sum_ns) then
      sum_s, sum_ns = BACKLOG_S, BACKLOG_NS
    end
    s, ns = sum_s, sum_ns
  elseif before_pair(charge.s, charge.ns, s, ns) then
    s, ns = subtract_pairs(s, ns, charge.s, charge.ns)
  else
    s, ns = 0, 0
  end
  s, ns = add_pairs(now_s, now_ns, s, ns)
  return true, {a = s, u = ns, c = 0}
end

local function write_bucket(_, state)
  return format('%.0f.%09.0f', state.a, state.u), (state.a + 1) * 1000
end

-- Values of Redis

local function read_windows(policy, value, key)
  local start, used, carried = value:match('^(%d+) (%d+) (%d+)$')
  if start then
    return {a = start * 1000, u = tonumber(used), c = tonumber(carried)}
  end
  -- What fixed.lua and write_fixed leave: it is there only while its window is.
  local number = tonumber(value)
  start = window_at(policy, now)
  if not number or now - start < 2000 and redis.call('PTTL', key) < 500 then
    return {}
  end
  return {a = start, u = max(0, min(MAX, number)), c = 0}
end

local function read_bucket(_, value)
  local s, ns = value:match('^(%d+)%.(%d+)$')
  return s and {a = tonumber(s), u = tonumber(ns), c = 0} or {}
end

local ALGORITHMS = {
  [0] = {judge = judge_fixed, read = read_windows, write = write_fixed},
  {judge = judge_sliding, read = read_windows, write = write_sliding},
  {judge = judge_bucket, read = read_bucket, write = write_bucket},
}

local function read_policies(blob)
  local policies = {}
  local number, done = reader(blob)
  while not done() do
    local algorithm = number()
    local policy = {algorithm = ALGORITHMS[algorithm], fixed = algorithm == 0,
                    limit = number()}
    if algorithm == 0 then
      policy.upfront, policy.earned = number(), number()
      policy.window = number()
      for i = 1, number() do policy[i] = number() end
    elseif algorithm == 1 then
      policy.window = number()
    else
      policy.s, policy.ns = number(), number()
    end
    policies[#policies + 1] = policy
  end
  return policies
end

local policies = read_policies(ARGV[1])
local states, written_by = {}, {}  -- by counter

local function state_of(charge)
  local counter, policy = charge.counter, charge.policy
  local state = states[counter]
  if not state then
    local value = values[counter]
    state = value and policy.algorithm.read(policy, value, KEYS[counter]) or {}
    states[counter] = state
  end
  return state
end

local function judge(charge, always)
  return charge.policy.algorithm.judge(charge.policy, state_of(charge), charge,
                                       always)
end

local function keep(charge, state)
  states[charge.counter] = state
  written_by[charge.counter] = charge.policy
end

local function same(a, b) return a.a == b.a and a.u == b.u and a.c == b.c end

-- judge_all.cc
local function take(charges, independent)
  local before, writers = {}, {}
  for i, charge in ipairs(charges) do
    before[i], writers[i] = state_of(charge), written_by[charge.counter]
  end
  local function undo(i)
    states[charges[i].counter] = before[i]
    written_by[charges[i].counter] = writers[i]
  end
  local refused = false
  for _, charge in ipairs(charges) do
    local allowed, after = judge(charge, charge.kind == REPORT)
    if not allowed and independent and charge.kind ~= PEEK and
      charge.policy.fixed then
      local _
      _, after = judge(charge, true)
    end
    keep(charge, after)
    refused = refused or not allowed and charge.kind == 0
  end
  if refused and not independent then
    for i in ipairs(charges) do undo(i) end
    for _, charge in ipairs(charges) do
      if charge.kind == REPORT or charge.cost < 0 and charge.kind ~= PEEK then
        local _, after = judge(charge, charge.kind == REPORT)
        keep(charge, after)
      end
    end
  end
  -- What changes nothing is not written and gets no new expiry, as in memory.
  for i, charge in ipairs(charges) do
    if same(states[charge.counter], before[i]) then undo(i) end
  end
  return before
end

local function reaches(charges)
  for _, charge in ipairs(charges) do
    local policy = charge.policy
    if policy.fixed and not (window_at(policy, now) and
        window_at(policy, max(now, state_of(charge).a or 0))) then
      return false
    end
  end
  return true
end

local packed = {struct.pack('<d', now)}
local number, done = reader(ARGV[2])
while not done() do
  local count, independent = number(), number() == 1
  local charges = {}
  for i = 1, count do
    charges[i] = {counter = number(), policy = policies[number()],
                  kind = number(), cost = number(), s = number(), ns = number()}
  end
  if reaches(charges) then
    packed[#packed + 1] = struct.pack('<d', 1)
    for _, state in ipairs(take(charges, independent)) do
      packed[#packed + 1] =
        struct.pack('<ddd', state.a or -1, state.u or 0, state.c or 0)
    end
  else
    packed[#packed + 1] = struct.pack('<d', 0)
  end
end
for counter, policy in pairs(written_by) do
  local value, expiry = policy.algorithm.write(policy, states[counter])
  redis.call('SET', KEYS[counter], value, 'PXAT', format('%.0f', expiry))
end
return table.concat(packed)
