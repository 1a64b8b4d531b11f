-- Returns the commands of the other scripts that the user has no right to run
-- on ARGV[1], separated by spaces. ARGV[1] only stands for the keys of counters.
-- If no command may touch it, the rights to the keys are narrower than their
-- prefix, which says nothing: the result is empty. So it is before Redis 7,
-- which cannot tell.
local may, key = redis.acl_check_cmd, ARGV[1]
if not may then return '' end
local missing, keyed, refused = {}, 0, 0
local function check(...)
  local name = ...
  if may(...) then return true end
  missing[#missing + 1] = name
end
check('time')
for _, command in ipairs({
  {'mget', key}, {'set', key, '1'}, {'del', key}, {'incr', key},
  {'incrby', key, '1'}, {'decrby', key, '1'}, {'pexpireat', key, '1'},
  {'pttl', key}, {'setrange', key, '0', ''},
  {'evalsha', '0', '1', key}, {'eval', '0', '1', key},
}) do
  keyed = keyed + 1
  if not check(unpack(command)) then refused = refused + 1 end
end
if refused == keyed then return '' end
return table.concat(missing, ' ')
