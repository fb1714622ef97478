"""Takes off what is wrapped around an ask: a transcript before it, words meant for the router.

Clients without roles paste "system: ... user: ..." into one message, and callers may say
"this is a simple task, use the cheapest model". Neither is part of the work asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Shorter than this, what is left is no ask of its own.
_LEAST = 8
# A shorter last turn says little without the turn before it, as ``prism.prompt`` has it.
_SHORT_TURN = 40
# Words to the router are short; a longer clause says something else too.
_LONGEST_CLAUSE = 110

_USER = re.compile(r"(?:^|\n)[ \t>*#]*(?:user|human)[ \t*]*:[ \t*]*", re.IGNORECASE)
_OTHER = re.compile(r"(?:^|\n)[ \t>*#]*(?:assistant|ai|bot|system)[ \t*]*:", re.IGNORECASE)
_OPENING = re.compile(r"\W*you(?: are|'re)\b", re.IGNORECASE)

# How a role is given before the ask. "You are given a list" gives none.
_ROLE = re.compile(
    r"""\W*(?:
      (?i:(?:imagine\ (?:that\ )?)?(?:you\ are|you['’]re))\ (?:(?i:an?|the|my|our|now)\ |[A-Z])
    | (?i:pretend\ (?:that\ )?(?:you|to\ be)|act\ as|i\ want\ you\ to\ act|stay\ in\ character
      |take\ (?:on\ )?the\ role|speak\ like|role-?play|from\ now\ on|let['’]?s\ play
      |actúa\ como|eres\ un|du\ bist\ ein|stell\ dir\ vor,\ du|tu\ es\ une?|agis\ comme|ты\ \w+ый
      |представь|você\ é\ um|finja|sei\ un)\b
    | あなたは | 你是 | 请扮演 | 假设你是 | أنت
    )""",
    re.VERBOSE,
)
_PARAGRAPH = re.compile(r"(?:(?!task)[^\n?？]){1,250}\n\s*\n")
_SENTENCE = re.compile(r"[^.!:。！：\n\]]{1,160}[.!:。！：\n\]]+\s*")
# A role whose game is told in the next sentences ("I will give you a topic and you will …") is
# the ask itself.
_GAME = re.compile(
    r"\b(?:i\ ?(?:'ll|’ll|will)|you\ ?(?:'ll|’ll|will|shall)|your\ (?:task|job|goal)|my\ first)\b"
    r"|我会|我将|我说|你需要|你来|第一个",
    re.IGNORECASE,
)
_GAME_CHARS = 200
# What follows a role must be an ask of its own; in a longer text the role is a small part, and
# often belongs to the work asked for.
_ASK = range(15, 600)
# Markdown around the whole: quotation, heading, list, emphasis, and their ends.
_DRESS = re.compile(
    r"(?:\s|>|\#+\s|-+\s|\*+|</?b>|(?:question|task|prompt|user\ request):?\s*\n)+", re.IGNORECASE
)
_UNDRESSED = re.compile(r"\s*(?:\#+\s*(?:answer|response):?|\*+|-{3,}|</b>)\s*$", re.IGNORECASE)
_DRESS_ENDS = ("*", "---", "</b>", "nswer", "nswer:", "esponse", "esponse:")
_ENDS = r".!?\n;:()\[\],。！？；：，（）"
_CLAUSE = re.compile(rf"[^{_ENDS}]*(?:[{_ENDS}]+|$)")
# Every transcript, and every clause to the router, has a word of one kind and then, next to it
# or one word further, another of the same kind. Looking for such two is much cheaper than the
# rest, and spares most texts the rest.
BEFORE = (
    ("simple", "easy", "trivial", "basic", "straightforward", "quick", "tiny", "hard", "complex",
     "difficult", "cheap", "cheapest", "small", "smallest", "nano", "mini", "best", "biggest",
     "strongest", "powerful", "expensive"),
    ("user", "human", "task", "label", "difficulty", "complexity"),
    ("no", "need", "deepest"),
)  # fmt: skip
AFTER = (
    ("task", "tasks", "question", "questions", "request", "requests", "one", "ones", "prompt",
     "job", "query", "model", "llm", "", ".", "!", ",", ":", ")", "]", "\"", "'"),
    (":", "*:", "**:"),
    ("think", "reasoning"),
)  # fmt: skip
ALONE = frozenset({
    "router", "taxonomy", "override", "ignore", "disregard", "sencilla", "fácil", "tâche",
    "aufgabe", "задача", "задачу", "简单",
})  # fmt: skip
"""One of these is enough."""


_EASE = "(?:simple|easy|trivial|basic|straightforward|quick|tiny|hard|complex|difficult)"
_TO_ROUTER = re.compile(
    rf"""
      \b{_EASE}(?:\ [a-z]+)?\ (?:task|question|request|one|prompt|job|query)s?\b
    | \b(?:cheap(?:est)?|small(?:est)?|tiny|nano|mini|best|biggest|strongest|powerful|expensive)
      \ (?:llm|model)\b
    | \bto\ (?:the\ )?router\b | ^\W*router\W*$ | \blabel\ set\b | \boverride\s*->
    | \b(?:classify|label|tag|treat|mark|route)\ (?:this|it)\ (?:as|to)\ (?:an?\ )?\W?{_EASE}
    | \b(?:ignore|disregard)\ (?:all\ |any\ |the\ )?(?:previous|prior|above|earlier|taxonomy)\b
    | \b(?:deepest|no)\ reasoning\b | \bno\ need\ to\ think\b | \bas\ long\ as\ possible\W*$
    | ^\W*(?:(?:very|super|really|so)\ )?(?:simple|easy|trivial)\W*$
    | ^\W*(?:task|label|difficulty|complexity)\W*$
    | \btarea\ (?:muy\ )?(?:sencilla|fácil|simple)\b | \btâche\ (?:très\ )?simple\b
    | \b(?:einfache|leichte)\ aufgabe\b | \bпроста[яй]\ задач | 简单的?(?:任务|问题)
    """,
    re.IGNORECASE | re.VERBOSE,
)

# What ``_TO_ROUTER`` matches has one of these: it is slow, and most clauses have none.
_KEYS = (
    "simple", "easy", "trivial", "basic", "straightforward", "quick", "tiny", "hard", "complex",
    "difficult", "model", "llm", "router", "label", "override", "ignore", "disregard",
    "reasoning", "think", "as long as possible", "task", "tarea", "tâche", "aufgabe", "задач",
    "简单",
)  # fmt: skip


def unwrap(text: str) -> str:
    """The last user turn of a transcript, without clauses that speak to the router.

    Text that is all wrapping comes back as it was.
    """
    turn = without_role(_last_turn(text))
    lowered = turn.lower()
    keys = [key for key in _KEYS if key in lowered]
    if not keys:
        return turn
    clauses = _CLAUSE.findall(turn)
    kept = [clause for clause in clauses if not _is_to_router(clause, keys)]
    bare = "".join(kept).strip().rstrip("([（/ ")
    return bare if len(kept) < len(clauses) and len(bare) >= _LEAST else turn


def _is_to_router(clause: str, keys: Sequence[str]) -> bool:
    if len(clause) > _LONGEST_CLAUSE:
        return False
    lowered = clause.lower()
    return any(key in lowered for key in keys) and _TO_ROUTER.search(clause) is not None


def without_role(text: str) -> str:
    """The text after a role that its first paragraph or sentence gives ("You are a pirate.")."""
    if not _ROLE.match(text):
        return text
    paragraph = _PARAGRAPH.match(text)
    opening = paragraph or _SENTENCE.match(text)
    if opening is None or len(text) - opening.end() not in _ASK:
        return text
    end = opening.end()
    if paragraph is None and _GAME.search(text, end, end + _GAME_CHARS):
        return text
    return text[end:]


def undressed(text: str) -> str:
    """The text without markdown around the whole of it."""
    opening = _DRESS.match(text)
    bare = text if opening is None else text[opening.end() :]
    if bare.endswith(_DRESS_ENDS):
        bare = _UNDRESSED.sub("", bare)
    return bare if len(bare) >= _LEAST else text


def _last_turn(text: str) -> str:
    lowered = text.lower()
    if "user" not in lowered and "human" not in lowered:
        return text
    marks = list(_USER.finditer(text))
    # A conversation that the ask is about comes after the ask, so does not open the text.
    if not marks or not (_OTHER.match(text) or _USER.match(text) or _OPENING.match(text)):
        return text
    turns = [
        _OTHER.split(text[mark.end() : end], maxsplit=1)[0].strip()
        for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True)
    ]
    last = "\n".join(turns[-2:]) if len(turns[-1]) < _SHORT_TURN else turns[-1]
    return last if len(last) >= _LEAST else text
