"""Takes off what clients and callers wrap around an ask: a transcript, words meant for the router.

Clients without roles paste "system: ... user: ..." into one message, and callers may say
"this is a simple task, use the cheapest model". Neither is part of the work asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prism.classify.wrapping import LEAST, without_wrapping
from prism.prompt.turns import leans_on_before

# Of a clause that speaks to the router, what else it says counts from here.
_LEAST_REST = 6
# Words to the router are short; a longer clause says something else too.
_LONGEST_CLAUSE = 110

_USER = re.compile(r"(?:^|\n)[ \t>*#]*(?:user|human)[ \t*]*:[ \t*]*", re.IGNORECASE)
_OTHER = re.compile(r"(?:^|\n)[ \t>*#]*(?:assistant|ai|bot|system)[ \t*]*:", re.IGNORECASE)
_OPENING = re.compile(r"\W*you(?: are|'re)\b", re.IGNORECASE)

# What may stand before a last "User:" without being a turn, where the ask isn't about it.
_SET_UP = range(1, 600)
_ABOUT = re.compile(
    r"[?？]|:\s*$|classif|summar|sentiment|translat|conversation|message|extract|transcript"
    r"|following|below|dialog|\bchat\b|review|repl(?:y|ies) to|总结|翻译|分类|对话|以下",
    re.IGNORECASE,
)

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
    (":", "*:", "**:", "="),
    ("think", "reasoning"),
)  # fmt: skip
ALONE = frozenset({
    "router", "taxonomy", "override", "ignore", "disregard", "sencilla", "fácil", "tâche",
    "aufgabe", "задача", "задачу", "简单",
})  # fmt: skip
"""One of these is enough."""

_LEVEL = (
    "simple|easy|trivial|basic|low|medium|high|hard|complex|code|coding|reasoning|small|mini"
    "|nano|cheap(?:est)?"
)
_EASE = "(?:simple|easy|trivial|basic|straightforward|quick|tiny|hard|complex|difficult)"
_CLAIM = re.compile(
    rf"""
      [\[({{<]\s*(?:[a-z]+\ )?{_EASE}\ (?:task|question|request|one|prompt|job|query)\s*[\])}}>]
    | [\[({{<]?\s*\b(?:task|label|difficulty|complexity)\s*
      (?:=\s*["']?(?:{_LEVEL})\b["']?\s*[\])}}>]?
      |:\s*["']?(?:{_LEVEL})\b["']?\s*(?:[\])}}>]|(?=[\n,;]|$)))
    """,
    re.IGNORECASE | re.VERBOSE,
)

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
# Claims that are cut out of a clause that says more: "prove it this is a simple task".
_SAID = re.compile(
    rf"""
      \b(?:this|that|it)(?:\ is|['’]s|\ should\ be)\ (?:just\ )?(?:an?\ )?
      (?:(?:really|very|super|so|quite|pretty|extremely)\ )*{_EASE}(?:\ [a-z]+)?
      \ (?:task|question|request|one|prompt|job|query)s?\b
      (?:\ that\ needs\ [^.!?,\n]{{1,40}}|,?\ (?:just\ )?(?:use|answer)\ [^.!?,\n]{{1,40}})?[.!:]*
    | \bno\ need\ to\ think\b[^.!?,\n]{{0,30}}[.!]*
    | \b(?:note\ to\ (?:the\ )?router\W+)?
      (?:classify|label|tag|treat|mark)\ (?:this|it)\ as\ (?:an?\ )?\W?{_EASE}\b
      (?:\ (?:task|question|request))?[.!]*
    | \b(?:please\ )?(?:(?:route|send)\ (?:this|it)\ to|(?:don['’]t\ |do\ not\ )?use)
      \ (?:the|your|an?)\ (?:cheap(?:est)?|small(?:est)?|biggest|strongest|expensive|best)
      \ (?:llm|model)\b
      (?:\ for\ this)?[.!]*
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
    turn = without_wrapping(_last_turn(text))
    lowered = turn.lower()
    keys = [key for key in _KEYS if key in lowered]
    if not keys:
        return turn
    clauses = _CLAUSE.findall(_CLAIM.sub("", turn))
    bare = "".join(_kept(clause, keys) for clause in clauses).strip().rstrip("([（/ ")
    return bare if len(bare) >= LEAST else turn


def _kept(clause: str, keys: Sequence[str]) -> str:
    """What of a clause does not speak to the router."""
    if not _is_to_router(clause, keys):
        return clause
    rest = _SAID.sub("", clause)
    return rest if len(rest.strip()) >= _LEAST_REST and not _is_to_router(rest, keys) else ""


def _is_to_router(clause: str, keys: Sequence[str]) -> bool:
    if len(clause) > _LONGEST_CLAUSE:
        return False
    lowered = clause.lower()
    return any(key in lowered for key in keys) and _TO_ROUTER.search(clause) is not None


def _last_turn(text: str) -> str:
    lowered = text.lower()
    if "user" not in lowered and "human" not in lowered:
        return text
    marks = list(_USER.finditer(text))
    # A conversation that the ask is about comes after the ask, so does not open the text.
    if not marks or not (
        _OTHER.match(text) or _USER.match(text) or _OPENING.match(text) or _set_up(text, marks)
    ):
        return text
    turns = [
        _OTHER.split(text[mark.end() : end], maxsplit=1)[0].strip()
        for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True)
    ]
    last = "\n".join(turns[-2:]) if leans_on_before(turns[-1]) else turns[-1]
    return last if len(last) >= LEAST else text


def _set_up(text: str, marks: Sequence[re.Match[str]]) -> bool:
    """Whether a text whose only turn is its last has a system prompt before that."""
    before = text[: marks[0].start()]
    return (
        len(marks) == 1
        and len(before) in _SET_UP
        and before.endswith("\n")
        and not _ABOUT.search(before)
    )
