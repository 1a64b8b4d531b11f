-- All kinds of takes: any charges of any algorithm. A take is all or nothing,
-- or independent. This is a transcription of server/limit and of
-- store/judge_all.cc. The model test compares them.
--
-- KEYS: each counter once. ARGV[1]: policies. ARGV[2]: takes. Both are packed
-- doubles.
--   policy: algorithm, then
--     0 fixed    limit, burst upfront, burst earned, window us (0: calendar),
--                windows that may be booked ahead (-1: no queue),
--                number of bounds, the bounds of the calendar windows in us
--     1 sliding  limit, window us
--     2 bucket   limit, depth as seconds and ns, 1 if it queues, window as
--                seconds and ns
--     3 single   limit, window us
--   take:   number of charges, mode (0 all or nothing, 1 independent, 2 denied
--           by another sub-take), then for each charge
--           counter, policy, kind (0 enforce, 1 observe, 2 report, 3 peek,
--           4 probe, 5 stated, 6 stated and observed, 7 give back), cost, the
--           cost as seconds and ns (used only for a bucket);
--           for a policy that queues and for a refund: the longest wait and the
--           slot that is given back, both as seconds and ns (-1, 0: no slot),
--           and, except for a bucket, the most units that may wait;
--           for a give-back, which is the only charge of its take: the state
--           after the charge, and the state that the counter should have
-- Returns, packed as doubles: the time in us; the number of repaired keys, and
-- the index of each; then for each take 1, and for each charge the state of its
-- counter before the take. For a take whose calendar bounds do not include the
-- time, returns only 0 and changes nothing.
--
-- A value that no script writes counts as a missing one, and is deleted. A state
-- of the future is healed as in judge.cc. Both are repairs.
--
-- A state is three numbers: the anchor in us, used, carried. The state of a
-- bucket is: seconds, ns, carried. The anchor of a counter that was never
-- charged is -1. Doubles are exact up to 2^53. Therefore amounts saturate at 2^53 - 1,
-- times are in microseconds, and times of a bucket are pairs.
local MAX, BILLION, BANKED_WINDOWS = 9007199254740991, 1000000000, 10
local ENFORCE, REPORT, PEEK, PROBE, STATED, STATED_OBSERVE, GIVE_BACK =
  0, 2, 3, 4, 5, 6, 7
local INDEPENDENT, DENIED = 1, 2
-- Local names save the lookup that each use of a global name costs.
local KEYS, ARGV, tonumber, call = KEYS, ARGV, tonumber, redis.call
local try = redis.pcall
local min, max, floor, format = math.min, math.max, math.floor, string.format
local read, write, match = struct.unpack, struct.pack, string.match

local time = call('TIME')
local now_s, now_ns = tonumber(time[1]), time[2] * 1000
local now = now_s * 1000000 + time[2]
local repaired = {}

-- A state may be ahead of the clock by this: see judge.cc.
local TOLERANCE = 1000000

-- ceil(a * b / c) for 0 <= a < 2^53, 0 <= b <= c < 2^46. Processes six bits of
-- a at a time, so that no intermediate result needs more than 53 bits.
local function mul_div_ceil(a, b, c)
  local quotient, rest, scale = 0, 0, 2 ^ 48
  while scale >= 1 do
    local digit = floor(a / scale)
    a = a - digit * scale
    local sum = rest * 64 + digit * b
    local sextet = floor(sum / c)
    rest = sum - sextet * c
    if rest < 0 then sextet, rest = sextet - 1, rest + c end
    if rest >= c then sextet, rest = sextet + 1, rest - c end
    quotient = quotient * 64 + sextet
    scale = scale / 64
  end
  return rest > 0 and quotient + 1 or quotient
end

-- The start and end of the window that contains `at`; nil if no bounds include
-- it.
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

-- The judge functions return whether the charge fits and, if the state changes,
-- the new state.

-- Whether a refund names another window.
local function names_other_window(start, cost, charge)
  return cost < 0 and charge.slot_s and charge.slot_s >= 0 and
    charge.slot_s * 1000000 + charge.slot_ns / 1000 ~= start
end

local function judge_fixed(policy, state, cost, always, charge)
  local start = window_at(policy, max(now, state.a))
  if names_other_window(start, cost, charge) then return true end
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
  -- The same format and expiry as in fixed.lua, which gives the reason.
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
  if names_other_window(start, cost, charge) then return true end
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

-- token_bucket.cc. Durations and times are pairs of seconds and ns.

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

-- The duration that a refund removes from a backlog of s, ns.
local function refund_of(policy, state, charge, s, ns)
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

-- See CounterState::carried.
local function mark_of(policy, s, ns)
  if s < policy.window_s then return 0 end
  return less(policy.window_s, policy.window_ns, s, ns) and now or 0
end

local function heal_bucket(policy, s, ns, mark)
  local most_s, most_ns =
    add(now_s, now_ns, policy.window_s, policy.window_ns)
  if not less(most_s + 1, most_ns, s, ns) then return s, ns, mark end
  if mark == 0 then return most_s, most_ns, 0 end
  if mark <= now + TOLERANCE then return s, ns, mark end
  local at_s = floor(mark / 1000000)
  local at_ns = (mark - at_s * 1000000) * 1000
  local backlog_s, backlog_ns = 0, 0
  if less(at_s, at_ns, s, ns) then
    backlog_s, backlog_ns = subtract(s, ns, at_s, at_ns)
  end
  if less(BACKLOG_S, BACKLOG_NS, backlog_s, backlog_ns) then
    backlog_s, backlog_ns = BACKLOG_S, BACKLOG_NS
  end
  s, ns = add(now_s, now_ns, backlog_s, backlog_ns)
  return s, ns, mark_of(policy, backlog_s, backlog_ns)
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
    local back_s, back_ns = refund_of(policy, state, charge, s, ns)
    if back_s == 0 and back_ns == 0 then return true end
    s, ns = subtract(s, ns, back_s, back_ns)
  end
  local mark = mark_of(policy, s, ns)
  s, ns = add(now_s, now_ns, s, ns)
  return true, s, ns, mark
end

local function write_bucket(_, state)
  local value = format('%d.%09d', state.a, state.u)
  if state.c > 0 then value = value .. format(' %d', state.c) end
  return value, (state.a + 1) * 1000
end

-- reservation.cc

local function judge_single(policy, state, cost, always, charge)
  local start, used = now - now % 1000, 0
  if state.a >= 0 and now < state.a + policy.window then
    start, used = state.a, state.u
  end
  if names_other_window(start, cost, charge) then return true end
  if not (always or cost < 0 or cost <= policy.limit - used) then return false end
  if cost == 0 then return true end
  return true, start, max(0, min(MAX, used + cost)), 0
end

local function write_single(policy, state)
  return format('%d %d 0', state.a / 1000, state.u),
    (state.a + policy.window) / 1000
end

-- The value and the expiry of a counter that a give-back restores. Without an
-- expiry the key keeps its own, which is late enough. Returns nothing if there
-- was no counter.
local function write_kept(writer, state)
  local policy = writer.policy
  if state.a < 0 then return end
  if policy.fixed and policy.earned == 0 then
    -- The state has banked units, which outlive the window.
    if state.a ~= writer.window or state.c > 0 then
      return write_banked(policy, state)
    end
    if state.u == 0 then return end
  end
  return (policy.write(policy, state))
end

-- Reading the values of keys: each function returns the state, or nothing if no
-- script has written the value.

local function read_windows(_, value)
  local start, used, carried = match(value, '^(%d+) (%d+) (%d+)$')
  if not start then return end
  start, used, carried = start * 1000, tonumber(used), tonumber(carried)
  if max(start, used, carried) > MAX then return end
  return start, used, carried
end

local function read_fixed(policy, value, key)
  local begun = window_at(policy, now)
  -- The key has expired with the last window, but Redis keeps it until that
  -- millisecond ends. A changed limit could misread its value.
  if now - begun < 2000 then
    local left = call('PTTL', key)
    if left >= 0 and left < 500 then return -1, 0, 0 end
  end
  local start, used, carried = read_windows(policy, value)
  if start then
    if policy.window > 0 then start = start - start % policy.window end
    return start, used, carried
  end
  -- A plain counter, from fixed.lua or write_fixed. Its key exists only during
  -- its window.
  local number = match(value, '^%d+$') and tonumber(value)
  if not number or number > 2 ^ 62 then return end
  return begun, min(MAX, number), 0
end

local function read_bucket(_, value)
  local mark = 0
  local s, ns = match(value, '^(%d+)%.(%d+)$')
  if not s then
    s, ns, mark = match(value, '^(%d+)%.(%d+) (%d+)$')
    if not s then return end
    mark = tonumber(mark)
  end
  s = tonumber(s)
  if #ns ~= 9 or s > 4 * BACKLOG_S or mark > MAX then return end
  return s, tonumber(ns), mark
end

-- judge.cc

local function heal_window(policy, a, u, c)
  if a <= now + TOLERANCE then return a, u, c end
  local start = window_at(policy, now)
  return start, u, c
end

local function heal_single(_, a, u, c)
  if a <= now + TOLERANCE then return a, u, c end
  return now - now % 1000, u, c
end

local ALGORITHMS = {
  [0] = {judge = judge_fixed, read = read_fixed, write = write_fixed,
         heal = heal_window},
  {judge = judge_sliding, read = read_windows, write = write_sliding,
   heal = heal_window},
  {judge = judge_bucket, read = read_bucket, write = write_bucket,
   heal = heal_bucket},
  {judge = judge_single, read = read_windows, write = write_single,
   heal = heal_single},
}
local QUEUED = {judge = judge_queued, read = read_fixed, write = write_queued,
                heal = heal_window}

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
    policy.s, policy.ns, policy.queue, policy.window_s, policy.window_ns, at =
      read('<ddddd', blob, at)
    policy.queue = policy.queue == 1
  end
  local queued_window = algorithm == 0 and policy.queue
  local functions = queued_window and QUEUED or ALGORITHMS[algorithm]
  policy.judge, policy.read, policy.write, policy.heal =
    functions.judge, functions.read, functions.write, functions.heal
  policy.fixed = algorithm == 0 and not queued_window
  policy.may_be_plain = algorithm == 0
  policy.bucket = algorithm == 2
  -- Any anchor that must be healed is later than this.
  policy.heals_after = policy.bucket and now_s + policy.window_s or now
  policy.single = algorithm == 3
  policies[#policies + 1] = policy
end

local values = call('MGET', unpack(KEYS))
local states, written_by, checked = {}, {}, {}  -- by counter
local result = {}

local function note_repair(counter) repaired[#repaired + 1] = counter end

local function drop_foreign(counter)
  call('DEL', KEYS[counter])
  note_repair(counter)
  values[counter] = false
  return -1, 0, 0
end

local function heal(counter, policy, a, u, c)
  local healed_a, healed_u, healed_c = policy.heal(policy, a, u, c)
  if healed_a ~= a or healed_c ~= c then
    note_repair(counter)
    written_by[counter] = policy
  end
  return healed_a, healed_u, healed_c
end

local function state_of(charge)
  local counter = charge.counter
  local state = states[counter]
  if not state then
    local value, policy = values[counter], charge.policy
    local a, u, c = -1, 0, 0
    if value then
      a, u, c = policy.read(policy, value, KEYS[counter])
      if not a then
        a, u, c = drop_foreign(counter)
      elseif a > policy.heals_after then
        a, u, c = heal(counter, policy, a, u, c)
      end
    end
    state = {a = a, u = u, c = c}
    states[counter] = state
  end
  return state
end

-- Whether the charge is made even if it does not fit.
local function always_charges(kind)
  return kind == REPORT or kind == STATED or kind == STATED_OBSERVE
end

-- A plain counter that refuses must expire with its window: see fixed.lua.
local function check_expiry(charge)
  local counter, policy = charge.counter, charge.policy
  local value = values[counter]
  if not value or value:find(' ', 1, true) or checked[counter] then return end
  checked[counter] = true
  local start, stop = window_at(policy, now)
  local left = call('PTTL', KEYS[counter])
  local most = stop - now + 2000
  if most <= TOLERANCE then most = most + stop - start end
  if left >= 0 and left <= most / 1000 then return end
  note_repair(counter)
  call('PEXPIREAT', KEYS[counter], format('%d', stop / 1000))
end

-- Judges one charge and changes the state of its counter. Returns false if the
-- charge denies its take.
local function charge_one(charge, independent)
  local policy, state = charge.policy, charge.state
  local cost, kind = charge.cost, charge.kind
  local allowed, a, u, c =
    policy.judge(policy, state, cost, always_charges(kind), charge)
  if not allowed and policy.may_be_plain then check_expiry(charge) end
  local read_only = kind == PEEK or kind == PROBE
  local change = not read_only and a
  if not allowed and independent and not read_only and policy.fixed then
    change, a, u, c = policy.judge(policy, state, cost, true)
  end
  -- An unchanged state is not written and gets no new expiry, as in the memory
  -- store.
  local changes = change and a and
    (a ~= state.a or u ~= state.u or c ~= state.c)
  if changes then
    state.a, state.u, state.c = a, u, c
    written_by[charge.counter] = policy
  end
  if kind == STATED and cost > 0 then
    return (policy.judge(policy, state, changes and 0 or cost, false, charge))
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

-- Chooses the policy that writes each changed counter: the policy of its last
-- charge sets the expiry. Unchanged counters are not written.
local function choose_writers(charges)
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

-- GiveBack in script_call.h defines which units are given back.
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
      if always_charges(charge.kind) or
        charge.cost < 0 and charge.kind ~= PEEK and charge.kind ~= PROBE then
        charge_one(charge, false)
      end
    end
  end
  choose_writers(charges)
end

-- Reads a charge and the state of its counter. Returns nothing if no calendar
-- bounds include the time, or the anchor of the state.
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
  local charges, in_bounds, count, mode = {}, true, nil, nil
  count, mode, at = read('<dd', blob, at)
  for i = 1, count do
    charges[i] = read_charge()
    in_bounds = in_bounds and charges[i]
  end
  if in_bounds then
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

-- Writes a key. A missing key may be a value of another type, which MGET does
-- not show but GET does.
local function set(counter, value, expiry)
  local key, at = KEYS[counter], format('%d', expiry)
  if values[counter] then return call('SET', key, value, 'PXAT', at) end
  local reply = try('SET', key, value, 'PXAT', at, 'GET')
  if type(reply) ~= 'table' or not reply.err then return end
  if reply.err:find('WRONGTYPE') then
    note_repair(counter)
    call('DEL', key)
  end
  call('SET', key, value, 'PXAT', at)  -- raises any other error again
end

for counter, policy in pairs(written_by) do
  local value, expiry = policy.write(policy, states[counter])
  local key = KEYS[counter]
  if expiry then
    set(counter, value, expiry)
  elseif value then
    call('SET', key, value, 'KEEPTTL')
  else
    call('DEL', key)
  end
end
-- Only a server that can write may decide. If there was nothing to write, this
-- write, which changes nothing, fails on a server that is read-only. It also
-- fails on a value of another type, which it leaves to the next charge.
if not next(written_by) then
  local reply = try('SETRANGE', KEYS[1], 0, '')
  if type(reply) == 'table' and reply.err and
    not reply.err:find('WRONGTYPE') then
    return reply
  end
end
local head = {write('<dd', now, #repaired)}
for i = 1, #repaired do head[i + 1] = write('<d', repaired[i]) end
return table.concat(head) .. table.concat(result)
