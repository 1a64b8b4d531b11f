-- Takes: any charges of any algorithm, each take all or nothing (or
-- independent). A transcription of server/limit and of store/judge_all.cc;
-- the model test holds it to them.
--
-- KEYS: every counter once. ARGV[1]: policies, ARGV[2]: takes; both doubles.
--   policy: algorithm, then
--     0 fixed    limit, burst upfront, burst earned, window us (0: calendar),
--                windows that may be booked ahead (-1: it does not queue),
--                number of bounds, the bounds of a calendar's windows in us
--     1 sliding  limit, window us
--     2 bucket   limit, depth as seconds and ns, 1 when it queues
--     3 single   limit, window us
--   take:   number of charges, mode (0 all or nothing, 1 independent, 2 denied
--           by what is judged elsewhere), then for each charge
--           counter, policy, kind (0 enforce, 1 observe, 2 report, 3 peek,
--           4 probe, 5 give back), cost, and for a bucket the cost as seconds
--           and ns;
--           for a policy that queues and for a refund the longest wait and the
--           slot that is given back, as seconds and ns (-1, 0: none), and of
--           all but a bucket how many units may wait;
--           for a give-back, which is its take's only charge, two states more:
--           what was made of the counter, and what should have been
-- Gives now in us, then for each take 1 and for each charge the state of its
-- counter before the take; or 0 alone when a calendar's bounds do not reach
-- now and nothing was done.
--
-- A state is three numbers: the anchor in us, used, carried; a bucket's are
-- seconds, ns, 0. An anchor of -1 is a counter never charged. Numbers are
-- doubles: exact up to 2^53, which is why amounts saturate at 2^53 - 1, times
-- are microseconds, and a bucket's times are pairs.
local MAX, BILLION, BANKED_WINDOWS = 9007199254740991, 1000000000, 10
local ENFORCE, REPORT, PEEK, PROBE, GIVE_BACK = 0, 2, 3, 4, 5
local INDEPENDENT, DENIED = 1, 2
-- Local names, because each use of a global one is looked up.
local KEYS, ARGV, tonumber, call = KEYS, ARGV, tonumber, redis.call
local min, max, floor, format = math.min, math.max, math.floor, string.format
local read, write, match = struct.unpack, struct.pack, string.match

local time = call('TIME')
local now_s, now_ns = tonumber(time[1]), time[2] * 1000
local now = now_s * 1000000 + time[2]

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
  if state.a < 0 then return 0, 0 end
  if state.a == start then return state.u, min(state.c, earned) end
  if earned == 0 then return 0, 0 end
  local idle = idle_windows(policy, state.a, start)
  if idle >= BANKED_WINDOWS then return 0, 0 end
  local from_bank = max(0, state.u - policy.limit)
  local unused = max(0, policy.limit - state.u)
  local left = max(0, min(state.c, earned) - from_bank) + unused
  return 0, min(earned, left + idle * policy.limit)
end

-- The functions that judge give whether the charge fits and, if it changes the
-- state, what it becomes.

-- Whether a refund names a window that is not this one.
local function of_another(start, cost, charge)
  return cost < 0 and charge.slot_s and charge.slot_s >= 0 and
    charge.slot_s * 1000000 + charge.slot_ns / 1000 ~= start
end

local function judge_fixed(policy, state, cost, always, charge)
  local start = window_at(policy, max(now, state.a))
  if of_another(start, cost, charge) then return true end
  local used, banked = turn_fixed(policy, state, start)
  local capacity = min(MAX, policy.limit + policy.upfront + banked)
  if not (always or cost < 0 or cost <= capacity - used) then return false end
  if cost == 0 then return true end
  return true, start, max(0, min(MAX, used + cost)), banked
end

local function write_banked(policy, state)
  local _, stop = window_at(policy, state.a)
  local expiry = policy.window > 0 and stop + BANKED_WINDOWS * policy.window
    or policy[#policy]
  return format('%d %d %d', state.a / 1000, state.u, state.c),
    expiry / 1000
end

local function write_fixed(policy, state)
  if policy.earned > 0 then return write_banked(policy, state) end
  -- As fixed.lua, which says why.
  local _, stop = window_at(policy, state.a)
  return format('%d', state.u), stop / 1000
end

-- queued_window.cc

local function per_window_of(policy)
  return min(MAX, policy.limit + policy.upfront)
end

local function capacity_of(policy, banked)
  return min(MAX, per_window_of(policy) + min(banked, policy.earned))
end

local function windows_booked(policy, used, capacity)
  local over, per_window = used - capacity, per_window_of(policy)
  if over <= 0 or per_window == 0 then return 0 end
  return min(floor((over - 1) / per_window) + 1, policy.max_booked + 1)
end

local function turn_queued(policy, state, start)
  if state.a < 0 then return 0, 0 end
  if state.a == start then return state.u, min(state.c, policy.earned) end
  local per_window, capacity = per_window_of(policy), capacity_of(policy, state.c)
  local between = floor((start - state.a) / policy.window) - 1
  if between >= BANKED_WINDOWS + windows_booked(policy, state.u, capacity) then
    return 0, 0
  end
  local left = capacity - state.u + between * per_window
  if left < 0 then return per_window == 0 and 0 or -left, 0 end
  return 0, min(policy.earned, left)
end

local function judge_queued(policy, state, cost, always, charge)
  local start = window_at(policy, max(now, state.a))
  local used, banked = turn_queued(policy, state, start)
  local per_window, capacity = per_window_of(policy), capacity_of(policy, banked)
  local tail = windows_booked(policy, used, capacity)
  local tail_end = capacity + tail * per_window
  if cost == 0 then return always or tail == 0 end
  if cost < 0 then
    if not charge.slot_s or charge.slot_s < 0 then
      if tail == 0 then used = max(0, used + cost) end
    elseif charge.slot_s * 1000000 + charge.slot_ns / 1000 ==
      start + tail * policy.window then
      used = max(tail == 0 and 0 or tail_end - per_window, used + cost)
    end
    return true, start, used, banked
  end
  if always then
    local most = capacity + policy.max_booked * per_window
    return true, start, max(used, min(used + cost, most)), banked
  end
  if used + cost <= capacity then return true, start, used + cost, banked end
  if cost > per_window or not charge.wait_s then return false end
  local after, window = tail_end + cost, tail + 1
  if tail > 0 and used + cost <= tail_end then
    after, window = used + cost, tail
  end
  local wait = start + window * policy.window - now
  if window > policy.max_booked or after - capacity > charge.max_queued or
    wait > charge.wait_s * 1000000 + charge.wait_ns / 1000 then
    return false
  end
  return true, start, after, banked
end

local function write_queued(policy, state)
  local _, stop = window_at(policy, state.a)
  local windows = windows_booked(policy, state.u, capacity_of(policy, state.c))
  if policy.earned > 0 then windows = windows + BANKED_WINDOWS end
  return format('%d %d %d', state.a / 1000, state.u, state.c),
    (stop + windows * policy.window) / 1000
end

-- sliding_window.cc

local function judge_sliding(policy, state, cost, always, charge)
  local at, anchor, window = max(now, state.a), state.a, policy.window
  local start = at - at % window
  if of_another(start, cost, charge) then return true end
  local used, before = 0, 0
  if anchor == start then
    used, before = state.u, state.c
  elseif anchor == start - window then
    before = state.u
  end
  local faded = mul_div_ceil(before, start + window - at, window)
  if not (always or cost < 0 or cost <= policy.limit - used - faded) then
    return false
  end
  if cost == 0 then return true end
  return true, start, max(0, min(MAX, used + cost)), before
end

local function write_sliding(policy, state)
  return format('%d %d %d', state.a / 1000, state.u, state.c),
    (state.a + 2 * policy.window) / 1000
end

-- token_bucket.cc; durations and times are pairs of seconds and ns

local function less(s1, n1, s2, n2) return s1 < s2 or s1 == s2 and n1 < n2 end

local function add(s1, n1, s2, n2)
  local n = n1 + n2
  if n >= BILLION then return s1 + s2 + 1, n - BILLION end
  return s1 + s2, n
end

local function subtract(s1, n1, s2, n2)
  if n1 < n2 then return s1 - s2 - 1, n1 + BILLION - n2 end
  return s1 - s2, n1 - n2
end

local BACKLOG_S, BACKLOG_NS = 1152921504, 606846975  -- INT64_MAX / 8 ns

-- Of a backlog of s, ns, what a refund takes of it.
local function given_back(policy, state, charge, s, ns)
  local cost_s, cost_ns = charge.s, charge.ns
  local has_slot = charge.slot_s and charge.slot_s >= 0
  if policy.queue then
    local may = not less(policy.s, policy.ns, s, ns)
    if has_slot then
      may = charge.slot_s == state.a and charge.slot_ns == state.u
    end
    if not may then return 0, 0 end
  elseif has_slot then
    local left_s, left_ns = 0, 0
    if less(now_s, now_ns, charge.slot_s, charge.slot_ns) then
      left_s, left_ns = subtract(charge.slot_s, charge.slot_ns, now_s, now_ns)
    end
    if less(left_s, left_ns, cost_s, cost_ns) then
      cost_s, cost_ns = left_s, left_ns
    end
  end
  if less(s, ns, cost_s, cost_ns) then return s, ns end
  return cost_s, cost_ns
end

local function judge_bucket(policy, state, cost, always, charge)
  local cost_s, cost_ns = charge.s, charge.ns
  local s, ns = 0, 0
  if less(now_s, now_ns, state.a, state.u) then
    s, ns = subtract(state.a, state.u, now_s, now_ns)
  end
  local sum_s, sum_ns = s, ns
  if cost > 0 then sum_s, sum_ns = add(s, ns, cost_s, cost_ns) end
  if not (always or cost < 0 or
          not less(policy.s, policy.ns, sum_s, sum_ns)) then
    if not (policy.queue and charge.wait_s) or
      less(policy.s, policy.ns, cost_s, cost_ns) then
      return false
    end
    local most_s, most_ns =
      add(policy.s, policy.ns, charge.wait_s, charge.wait_ns)
    if less(most_s, most_ns, sum_s, sum_ns) then return false end
  end
  if policy.limit == 0 or cost == 0 then return true end
  if cost > 0 then
    s, ns = sum_s, sum_ns
    if less(BACKLOG_S, BACKLOG_NS, s, ns) then s, ns = BACKLOG_S, BACKLOG_NS end
  else
    local back_s, back_ns = given_back(policy, state, charge, s, ns)
    if back_s == 0 and back_ns == 0 then return true end
    s, ns = subtract(s, ns, back_s, back_ns)
  end
  s, ns = add(now_s, now_ns, s, ns)
  return true, s, ns, 0
end

local function write_bucket(_, state)
  return format('%d.%09d', state.a, state.u), (state.a + 1) * 1000
end

-- single_window.cc

local function judge_single(policy, state, cost, always, charge)
  local start, used = now - now % 1000, 0
  if state.a >= 0 and now < state.a + policy.window then
    start, used = state.a, state.u
  end
  if of_another(start, cost, charge) then return true end
  if not (always or cost < 0 or cost <= policy.limit - used) then return false end
  if cost == 0 then return true end
  return true, start, max(0, min(MAX, used + cost)), 0
end

local function write_single(policy, state)
  return format('%d %d 0', state.a / 1000, state.u),
    (state.a + policy.window) / 1000
end

-- What was there before: without a time, the key is still there and lives long
-- enough; nothing when there was no counter.
local function write_kept(writer, state)
  local policy = writer.policy
  if state.a < 0 then return end
  if policy.fixed and policy.earned == 0 then
    -- From when there was a bank: that is not over with its window.
    if state.a ~= writer.window or state.c > 0 then
      return write_banked(policy, state)
    end
    if state.u == 0 then return end
  end
  return (policy.write(policy, state))
end

-- Values of Redis

local function read_windows(_, value)
  local start, used, carried = match(value, '^(%d+) (%d+) (%d+)$')
  if not start then return -1, 0, 0 end
  return start * 1000, tonumber(used), tonumber(carried)
end

local function read_fixed(policy, value, key)
  local begun = window_at(policy, now)
  -- It has expired with the last window, and Redis keeps it to the end of that
  -- millisecond. Another limit than the last one may find something in it.
  if now - begun < 2000 and call('PTTL', key) < 500 then return -1, 0, 0 end
  local start, used, carried = read_windows(policy, value)
  if start >= 0 then return start, used, carried end
  -- What fixed.lua and write_fixed leave: it is there only while its window is.
  local number = tonumber(value)
  if not number then return -1, 0, 0 end
  return begun, max(0, min(MAX, number)), 0
end

local function read_bucket(_, value)
  local s, ns = match(value, '^(%d+)%.(%d+)$')
  if not s then return -1, 0, 0 end
  return tonumber(s), tonumber(ns), 0
end

local ALGORITHMS = {
  [0] = {judge = judge_fixed, read = read_fixed, write = write_fixed},
  {judge = judge_sliding, read = read_windows, write = write_sliding},
  {judge = judge_bucket, read = read_bucket, write = write_bucket},
  {judge = judge_single, read = read_windows, write = write_single},
}
local QUEUED = {judge = judge_queued, read = read_fixed, write = write_queued}

local policies, at = {}, 1
local blob = ARGV[1]
while at <= #blob do
  local policy, algorithm, count = {}, nil, nil
  algorithm, policy.limit, at = read('<dd', blob, at)
  if algorithm == 0 then
    policy.upfront, policy.earned, policy.window, policy.max_booked, count, at =
      read('<ddddd', blob, at)
    policy.queue = policy.max_booked >= 0
    for i = 1, count do policy[i], at = read('<d', blob, at) end
  elseif algorithm ~= 2 then
    policy.window, at = read('<d', blob, at)
  else
    policy.s, policy.ns, policy.queue, at = read('<ddd', blob, at)
    policy.queue = policy.queue == 1
  end
  local queued_window = algorithm == 0 and policy.queue
  local functions = queued_window and QUEUED or ALGORITHMS[algorithm]
  policy.judge, policy.read, policy.write =
    functions.judge, functions.read, functions.write
  policy.fixed = algorithm == 0 and not queued_window
  policy.bucket = algorithm == 2
  policy.single = algorithm == 3
  policies[#policies + 1] = policy
end

local values = call('MGET', unpack(KEYS))
local states, written_by = {}, {}  -- by counter
local result = {write('<d', now)}

local function state_of(charge)
  local counter = charge.counter
  local state = states[counter]
  if not state then
    local value, policy = values[counter], charge.policy
    state = {a = -1, u = 0, c = 0}
    if value then
      state.a, state.u, state.c = policy.read(policy, value, KEYS[counter])
    end
    states[counter] = state
  end
  return state
end

-- Judges one charge and changes the state of its counter; false when refused.
local function charge_one(charge, independent)
  local policy, state = charge.policy, charge.state
  local cost, kind = charge.cost, charge.kind
  local allowed, a, u, c =
    policy.judge(policy, state, cost, kind == REPORT, charge)
  local looks = kind == PEEK or kind == PROBE
  local change = not looks and a
  if not allowed and independent and not looks and policy.fixed then
    change, a, u, c = policy.judge(policy, state, cost, true)
  end
  -- What changes nothing is not written and gets no new expiry, as in memory.
  if change and a and (a ~= state.a or u ~= state.u or c ~= state.c) then
    state.a, state.u, state.c = a, u, c
    written_by[charge.counter] = policy
  end
  return allowed or kind ~= ENFORCE and kind ~= PROBE
end

local function restore(charges)
  for i = 1, #charges do
    local charge = charges[i]
    local state = charge.state
    state.a, state.u, state.c = charge.a, charge.u, charge.c
    written_by[charge.counter] = charge.writer
  end
end

-- What is as it was is not written; else the last charge says how long it lives.
local function settle(charges)
  for i = 1, #charges do
    local charge = charges[i]
    local state = charge.state
    local writer = charge.policy
    if state.a == charge.a and state.u == charge.u and state.c == charge.c then
      writer = charge.writer
    end
    written_by[charge.counter] = writer
  end
end

-- pending_take.h says what is given back.
local function give_back(charge)
  local policy, state, made = charge.policy, charge.state, charge.made
  local counter = charge.counter
  if state.a == made.a and state.u == made.u and state.c == made.c and
    not written_by[counter] then
    state.a, state.u, state.c = unpack(charge.kept)
    written_by[counter] = {policy = policy, window = made.a, write = write_kept}
  elseif policy.bucket then
    local s, ns = 0, 0
    if less(now_s, now_ns, made.a, made.u) then
      s, ns = subtract(made.a, made.u, now_s, now_ns)
    end
    if less(s, ns, charge.s, charge.ns) then charge.s, charge.ns = s, ns end
    charge_one(charge, false)
  elseif (policy.single and state.a or window_at(policy, now)) == made.a then
    charge_one(charge, false)
  end
end

-- judge_all.cc
local function take(charges, mode)
  if charges[1].kind == GIVE_BACK then return give_back(charges[1]) end
  local independent = mode == INDEPENDENT
  local fits = mode ~= DENIED
  for i = 1, #charges do
    if not charge_one(charges[i], independent) then fits = false end
  end
  if #charges == 1 and mode ~= DENIED then return end
  if not fits and not independent then
    restore(charges)
    for i = 1, #charges do
      local charge = charges[i]
      if charge.kind == REPORT or
        charge.cost < 0 and charge.kind ~= PEEK and charge.kind ~= PROBE then
        charge_one(charge, false)
      end
    end
  end
  settle(charges)
end

-- Reads a charge and the state of its counter; nothing when a calendar's bounds
-- do not reach it.
local function read_charge()
  local charge, policy = {}, nil
  charge.counter, policy, charge.kind, charge.cost, charge.s, charge.ns, at =
    read('<dddddd', blob, at)
  policy = policies[policy]
  charge.policy = policy
  if policy.queue or charge.cost < 0 then
    local wait_s, wait_ns, slot_s, slot_ns
    wait_s, wait_ns, slot_s, slot_ns, at = read('<dddd', blob, at)
    if not policy.bucket then charge.max_queued, at = read('<d', blob, at) end
    if charge.kind == ENFORCE then
      charge.wait_s, charge.wait_ns = wait_s, wait_ns
      charge.slot_s, charge.slot_ns = slot_s, slot_ns
    end
  end
  if charge.kind == GIVE_BACK then
    local made, kept = {}, {}
    made.a, made.u, made.c, kept[1], kept[2], kept[3], at =
      read('<dddddd', blob, at)
    charge.made, charge.kept = made, kept
  end
  if policy.fixed and not window_at(policy, now) then return end
  local state = state_of(charge)
  if policy.fixed and state.a > now and not window_at(policy, state.a) then
    return
  end
  charge.state, charge.writer = state, written_by[charge.counter]
  charge.a, charge.u, charge.c = state.a, state.u, state.c
  return charge
end

blob, at = ARGV[2], 1
while at <= #blob do
  local charges, reached, count, mode = {}, true, nil, nil
  count, mode, at = read('<dd', blob, at)
  for i = 1, count do
    charges[i] = read_charge()
    reached = reached and charges[i]
  end
  if reached then
    result[#result + 1] = write('<d', 1)
    for i = 1, count do
      local charge = charges[i]
      result[#result + 1] = write('<ddd', charge.a, charge.u, charge.c)
    end
    take(charges, mode)
  else
    result[#result + 1] = write('<d', 0)
  end
end
for counter, policy in pairs(written_by) do
  local value, expiry = policy.write(policy, states[counter])
  local key = KEYS[counter]
  if expiry then
    call('SET', key, value, 'PXAT', format('%d', expiry))
  elseif value then
    call('SET', key, value, 'KEEPTTL')
  else
    call('DEL', key)
  end
end
-- Who may not write may not decide: a write that changes nothing fails there.
if not next(written_by) then call('SETRANGE', KEYS[1], 0, '') end
return table.concat(result)
