"""The requests: chat completions of a given size, no two with the same last turn.

The last turns come from hand-written questions of every task, each about many subjects, and
end with a number of their own. So nothing that the gateway could keep from an earlier prompt
helps with a later one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

KIBIBYTE = 1024
SIZES = {"1k": KIBIBYTE, "16k": 16 * KIBIBYTE, "256k": 256 * KIBIBYTE}
"""Bytes of a request's body, by the name that figures use."""
KEY = "prism-bench-key"
"""The API key of the requests; it opens nothing but the benchmark's own gateway."""
DIGITS = 8
"""Digits of the number that makes a last turn unlike every other."""
_SEED = 20_260_701
_TURN_CHARS = 900
"""Characters of one earlier turn, about what a person or a short answer writes."""
_MARK = "\x7f"  # stands where the number goes; no text here has it

_SYSTEM = "You are a helpful assistant of an online shop. Answer briefly and say when unsure."
_SUBJECTS = (
    "the parcel that has been in customs for nine days",
    "a refund for an order paid half by card and half by voucher",
    "our returns statistics for the third quarter",
    "the loyalty points that vanished after a merge of accounts",
    "a supplier who delivers late every other week",
    "the nightly export of invoices to the accountants",
    "stock levels across four warehouses",
    "a newsletter that two in five people open",
    "a recommendation model that only shows phone cases",
    "the checkout page that is slow on old phones",
    "VAT on gift cards sold to other countries",
    "an address form that refuses apartment numbers",
    "price changes that must not reach open baskets",
    "a chat log of a customer who asks in three languages",
)
_QUESTIONS = (
    "What is the one-sentence summary of {}?",
    "Translate into German, politely: we are looking into {} and will call you tomorrow.",
    "Is {} urgent? Answer yes or no.",
    "Give me a friendly subject line for an e-mail about {}.",
    "Write a SQL query that lists everything about {}, newest first, with totals per month.",
    "This raises KeyError: 'total' when it meets {}. Why?\n\n"
    "def total(rows):\n    found = {{}}\n    for row in rows:\n"
    "        found[row['id']] += row['total']\n    return found\n",
    "Refactor our TypeScript handler for {} so that it can be tested without a database, "
    "and show one test with a fake clock.",
    "Write a Python function with type hints and docstring that models {}.",
    "If {} costs 3 % of the margin each week and compounds, after how many weeks is half of it "
    "gone? Show the steps.",
    "Three colleagues disagree about {}. Anna says it began before the release, Ben after it, "
    "and Carla that both are wrong. Exactly one of them is right. Who can it be, and why?",
    "What is the probability that {} happens twice in a month of 22 working days, if it happens "
    "on any of them with probability 0.04 and the days are independent?",
    "Design a process for {}: who is involved, what can go wrong at each step, how we would "
    "notice, what it costs to run, and how we roll it out in two countries with different laws.",
    "Compare three strategies for {}. Weigh short-term effort against long-term risk for a team "
    "of six, say which data would change your mind, and end with a plan for ninety days.",
    "Write the first page of a memo to the board about {}: context, options, a recommendation "
    "and its risks, in a tone that is honest about what we do not know yet.",
    "Hi! Quick one about {} - what do I tell the customer?",
    "Rewrite so that it sounds less harsh: your complaint about {} is none of our business.",
)
_EARLIER = (
    "I checked the ticket and the order history.",
    "The warehouse scanned it on Tuesday evening and again on Thursday.",
    "That is what the customer wrote first, before the second parcel came.",
    "We had the same case in spring and solved it by hand.",
    "Please keep the tone friendly and do not promise a date.",
    "The total was 84.90 with shipping, of which 20.00 were paid with a voucher.",
    "Nobody changed the configuration of that shop since the last release.",
    "As far as I can see, two of the five items are still in stock.",
    "The log says the payment was authorised but never captured.",
    "I would rather explain it once in the help pages than in every mail.",
)


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of a request around the number in its last turn."""

    head: bytes
    tail: bytes

    def numbered(self, number: int) -> bytes:
        """The whole request, as it is sent."""
        return b"%b%0*d%b" % (self.head, DIGITS, number, self.tail)


def last_turns() -> list[str]:
    """Every question about every subject, in an order that is always the same."""
    turns = [question.format(subject) for question in _QUESTIONS for subject in _SUBJECTS]
    random.Random(_SEED).shuffle(turns)
    return turns


def requests(size: int, turns: Sequence[str] | None = None) -> list[Request]:
    """A request with a body of ``size`` bytes for each of ``turns``, by default ``last_turns``."""
    return [_request(_body(turn, size)) for turn in (last_turns() if turns is None else turns)]


def _request(body: str) -> Request:
    before, after = body.split(_MARK)
    length = len(before) + DIGITS + len(after)
    return Request((_head(length) + before).encode(), after.encode())


def _head(length: int) -> str:
    """The headers of the OpenAI SDK for Python."""
    lines = (
        "POST /v1/chat/completions HTTP/1.1",
        "host: gateway.example",
        "accept: application/json",
        "content-type: application/json",
        "user-agent: OpenAI/Python 2.8.0",
        "x-stainless-lang: python",
        "x-stainless-package-version: 2.8.0",
        "x-stainless-os: Linux",
        "x-stainless-arch: x64",
        "x-stainless-runtime: CPython",
        "x-stainless-runtime-version: 3.12.3",
        "x-stainless-async: false",
        "x-stainless-retry-count: 0",
        f"authorization: Bearer {KEY}",
        f"content-length: {length}",
    )
    return "\r\n".join(lines) + "\r\n\r\n"


def _body(turn: str, size: int) -> str:
    """A conversation that ends with ``turn``, filled up by earlier turns to ``size`` bytes.

    Where the last turn alone is larger, there are no earlier ones and the body is larger.
    """
    last = {"role": "user", "content": f"{turn} (ticket {_MARK})"}
    room = size - DIGITS + len(_MARK) - len(_encoded([last]))
    return _encoded([*_earlier(room, random.Random(turn)), last])


def _earlier(room: int, chance: random.Random) -> Sequence[dict[str, str]]:
    """Turns of user and assistant that take up ``room`` bytes of the body."""
    turns: list[dict[str, str]] = []
    roles = ("user", "assistant")
    while room > 0:
        turn = {"role": roles[len(turns) % 2], "content": ""}
        room -= len(json.dumps(turn)) + len(", ")
        text = ""
        while len(text) < min(room, _TURN_CHARS):
            text += chance.choice(_EARLIER) + " "
        # What is left after this turn must be enough for another one, or nothing.
        length = room if room < 2 * _TURN_CHARS else _TURN_CHARS
        turn["content"] = text.ljust(length, ".")[:length] if room > 0 else ""
        turns.append(turn)
        room -= length
    return turns


def _encoded(messages: Sequence[dict[str, str]]) -> str:
    system = {"role": "system", "content": _SYSTEM}
    chat = {"model": "auto", "temperature": 0.2, "messages": [system, *messages]}
    return json.dumps(chat, ensure_ascii=False)
