"""Takes off what is wrapped around an ask: a transcript before it, words meant for the router.

Clients without roles paste "system: ... user: ..." into one message, and callers may say
"this is a simple task, use the cheapest model". Neither is part of the work asked for.
"""

from __future__ import annotations

import re

# Shorter than this, what is left is no ask of its own.
_LEAST = 8
# A shorter last turn says little without the turn before it, as ``prism.prompt`` has it.
_SHORT_TURN = 40
# Words to the router are short; a longer clause says something else too.
_LONGEST_CLAUSE = 110

_USER = re.compile(r"(?:^|\n)[ \t>*#]*(?:user|human)[ \t*]*:[ \t*]*", re.IGNORECASE)
_OTHER = re.compile(r"(?:^|\n)[ \t>*#]*(?:assistant|ai|bot|system)[ \t*]*:", re.IGNORECASE)
_OPENING = re.compile(r"\W*you(?: are|'re)\b", re.IGNORECASE)

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
    ("no", "to", "deepest"),
)  # fmt: skip
AFTER = (
    ("task", "tasks", "question", "questions", "request", "requests", "one", "ones", "prompt",
     "job", "query", "model", "llm", "", ".", "!", ",", ":", ")", "]", "\"", "'"),
    (":", "*:", "**:"),
    ("think", "reasoning", "need"),
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


def unwrap(text: str) -> str:
    """The last user turn of a transcript, without clauses that speak to the router.

    Text that is all wrapping comes back as it was.
    """
    turn = _last_turn(text)
    clauses = _CLAUSE.findall(turn)
    kept = [
        clause
        for clause in clauses
        if len(clause) > _LONGEST_CLAUSE or not _TO_ROUTER.search(clause)
    ]
    bare = "".join(kept).strip().rstrip("([（/ ")
    return bare if len(kept) < len(clauses) and len(bare) >= _LEAST else turn


def _last_turn(text: str) -> str:
    marks = list(_USER.finditer(text)) if ":" in text else []
    # A conversation that the ask is about comes after the ask, so does not open the text.
    if not marks or not (_OTHER.match(text) or _USER.match(text) or _OPENING.match(text)):
        return text
    turns = [
        _OTHER.split(text[mark.end() : end], maxsplit=1)[0].strip()
        for mark, end in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True)
    ]
    last = "\n".join(turns[-2:]) if len(turns[-1]) < _SHORT_TURN else turns[-1]
    return last if len(last) >= _LEAST else text
