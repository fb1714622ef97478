"""What replicas spent together, in Redis or Valkey.

A budget in one period is one hash: ``s`` what was spent, ``t:REPLICA`` how much of that each
replica told, ``l:REPLICA`` what was lent to it and until when. One script does it all, so that
two replicas are never lent the same money; said twice, it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from prism.serve.account import Account

LEND_MS = 30_000
"""Milliseconds for which the store lends; what a replica that died was lent comes back then."""
KEEP_MS = 24 * 60 * 60 * 1000
"""Milliseconds that a budget is kept after its period."""
TIMEOUT_S = 1.0
PREFIX = "prism:budget:"

_SCRIPT = """
local id, settled, told, known = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local limit, least, lend, keep = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
local spent, before, others = 0, told, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local name, value = all[i], all[i + 1]
  if name == 's' then
    spent = tonumber(value)
  elseif name == 't:' .. id then
    before = tonumber(value)
  elseif string.sub(name, 1, 2) == 'l:' and name ~= 'l:' .. id then
    local amount, till = string.match(value, '(%d+):(%d+)')
    if tonumber(till) > now then
      others = others + tonumber(amount)
    else
      redis.call('HDEL', KEYS[1], name)
    end
  end
end
-- What a store that lost its memory no longer knows, its replicas do.
spent = math.max(spent, known) + settled - before
local left, lent = limit - spent - others, 0
if left > 0 and least > 0 then
  lent = math.min(left, math.max(math.floor(left / 4), least))
end
redis.call('HSET', KEYS[1], 's', whole(spent), 't:' .. id, whole(settled))
if lent > 0 then
  redis.call('HSET', KEYS[1], 'l:' .. id, whole(lent) .. ':' .. whole(now + lend))
else
  redis.call('HDEL', KEYS[1], 'l:' .. id)
end
redis.call('PEXPIREAT', KEYS[1], keep)
return {whole(spent), whole(lent)}
"""


class StoreAway(Exception):
    """The store could not be asked; the message says why, and names no password."""


@dataclass(frozen=True, slots=True)
class Lent:
    """The store's answer: what all have spent, and what is lent. ``told`` is what it was told."""

    told: int
    known: int
    lent: int


class BudgetStore:
    """One replica's access to the store at ``url`` (``redis://``, ``rediss://``, ``unix://``).

    ``replica`` names this process and no other, not even its predecessor. Raises ``ValueError``
    for a URL of another kind.
    """

    def __init__(self, url: str, replica: str) -> None:
        self._replica = replica
        self._redis: Any = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._redis.register_script(_SCRIPT)

    async def exchange(self, accounts: Sequence[Account], *, give_back: bool = False) -> list[Lent]:
        """Tell what was spent and borrow anew, or ``give_back`` what was lent. The answers come
        in the order of the accounts. Raises ``StoreAway``."""
        told = [account.settled for account in accounts]
        pipe = self._redis.pipeline(transaction=False)
        for account in accounts:
            await self._script([key_of(account)], self._arguments(account, give_back), client=pipe)
        try:
            answers = await pipe.execute()
        # The client raises its own errors, those of sockets and of asyncio.
        except Exception as error:
            raise StoreAway(f"{type(error).__name__}") from None
        return [
            Lent(said, int(known), int(lent))
            for said, (known, lent) in zip(told, answers, strict=True)
        ]

    def _arguments(self, account: Account, give_back: bool) -> list[str]:
        least = 0 if give_back else account.needs()
        numbers = account.settled, account.told, account.known, account.limit, least
        keep = account.end * 1000 + KEEP_MS
        return [self._replica, *map(str, numbers), str(LEND_MS), str(keep)]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def key_of(account: Account) -> str:
    """The key of a budget in its period."""
    project, period, action = account.place
    return f"{PREFIX}{project}:{period}:{action}:{account.begin}"
