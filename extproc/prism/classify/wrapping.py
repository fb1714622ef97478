"""Takes off what stands around an ask in any chat: courtesy, markdown around the whole, a scene or
a role before it."""

from __future__ import annotations

import re

LEAST = 8
"""Shorter than this, what is left is no ask of its own."""
# Wrappings inside one another that are taken off.
_DEEPEST = 4

# Greetings, thanks and excuses before the ask, and what an actor does before speaking.
_COURTESY = re.compile(
    r"""\W{0,9}(?:
      (?:
        (?:hi|hello|hey|hiya|heya|greetings|good\ (?:morning|afternoon|evening|day)|hola
          |buen[oa]s\ (?:d[ií]as|tardes|noches)|bonjour|salut|hallo|guten\ (?:tag|morgen|abend)
          |olá|bom\ dia|boa\ (?:tarde|noite)|ciao|merhaba|привет|здравствуйте|добрый\ день
          |مرحبا|السلام\ عليكم)
        (?:\ (?:there|again|everyone|all|guys|team|friend|chatgpt|claude|gemini|gpt|ai|bot))?\b
        (?!\ world)
      | (?:please|pls|plz|kindly|hmm+|asap|ok(?:ay)?\ so|thank(?:s|\ you)\ in\ advance
          |quick\ (?:one|question)\ ?:)(?!\w)
      | (?:um+|uh+|er+m*|so|well|ok(?:ay)?|thanks?(?:\ you)?(?:\ (?:so\ much|a\ lot|again))?|thx
          |excuse\ me|sorry\ (?:to\ (?:bother|disturb)|for\ (?:bothering|disturbing))\ (?:you|u)
          |gracias|merci|danke|obrigad[oa]|спасибо)(?=\s*[,.!:…\n])
      | नमस्ते|您好|你好|请问|こんにちは|すみません
      )[\s,.!:;…，。！～~-]*
    | \*[a-z][^*\n]{3,80}\*\s+
    )+""",
    re.IGNORECASE | re.VERBOSE,
)
# The same after it. "How do I say thanks" asks about the word.
_THANKS = re.compile(
    r"""(?:(?<!\bsay)(?<!\ba)(?<!\bof)(?<!\bwith)(?<!\bword)(?<!\bsaying)(?<!\bmean)(?<!\bfor)
      [\s,.!;…，。！-]+
      (?:please|pls|plz|thx|ty|asap|cheers|thanks?(?:\ you)?\ (?:in\ advance|so\ much|a\ lot)|thanks
        |(?<=[.!?\n,]\ )thank\ you|por\ favor|gracias|merci|danke|bitte|obrigad[oa]|спасибо
        |пожалуйста|sorry\ (?:to\ bother|for\ bothering)\ you|谢谢|ありがとう(?:ございます)?)
    )+[\s.!)…，。！]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_THANKS_CHARS = 60
# What both end with, and what courtesies and scenes begin with: most texts have neither, and this
# is found out ten times as fast. A word that is added above must be here too. Words are letters
# alone, so a Hindi one ends at its first vowel sign.
_LAST = (
    "please", "pls", "plz", "thx", "ty", "asap", "cheers", "thanks", "thank you", "in advance",
    "so much", "a lot", "por favor", "gracias", "merci", "danke", "bitte", "obrigado", "obrigada",
    "спасибо", "пожалуйста", "bothering you", "to bother you", "谢谢", "ありがとう", "ございます",
)  # fmt: skip
_LAST_SIGNS = " \t\n.!)…，。！"
_FIRST = re.compile(r"\W{0,9}([^\W\d_]{1,14})")
_FIRST_WORDS = frozenset({
    "hi", "hello", "hey", "hiya", "heya", "greetings", "good", "hola", "buenos", "buenas",
    "bonjour", "salut", "hallo", "guten", "olá", "bom", "boa", "ciao", "merhaba", "привет",
    "здравствуйте", "добрый", "नमस", "مرحبا", "السلام", "please", "pls", "plz", "kindly", "asap",
    "ok", "okay", "thank", "thanks", "thx", "quick", "so", "well", "excuse", "sorry", "gracias",
    "merci", "danke", "obrigado", "obrigada", "спасибо",
    "system", "house", "rules", "guidelines", "instructions", "style", "tone", "context", "always",
    "respond", "reply", "answer", "write", "keep",
})  # fmt: skip
_FIRST_LETTERS = ("hm", "um", "uh", "er", "您好", "你好", "请问", "こん", "すみ")
# Courtesy goes where this much is left.
_LEAST_ASK = 15
# Sentences in brackets before the ask set the scene; a list or an array isn't the like.
_NOTE = re.compile(r"\[(?=[^\]\n]*(?:\s|[\u3040-\u9fff]))([^\[\]\n]{10,300})\]\s*")
_NOTE_ENDS = (".", "!", "。", "！")
# A first paragraph on the manner of all answers, or on who asks.
_MANNERS = re.compile(
    r"""system(?:\ prompt)?:[^\n]{1,400}\n\s*\n
    | \#{0,3}\s*(?:house\ )?(?:rules|guidelines|instructions|style(?:\ guide)?|tone)\ ?:?\s*\n
      (?:\s*(?:[-*•]|\d+[.)]).{1,200}\n){1,12}\s*\n
    | context:(?=[^\n]{0,160}\b(?:user|logged|locale|language|session|plan|today|style)\b)
      [^\n?]{1,200}\n\s*\n
    | (?:always\ |please\ )?
      (?:respond|reply|answer|write\ all\ answers
        |keep\ (?:every|your|all|the|each)\ (?:answer|repl|respon)\w*)
      \b(?=[^\n?]{0,200}\b(?:brief|short|concise|plain|markdown|emojis?|polite|language|words|kind
        |friendly|tone|honest|json|formal|informal|style|sentences?)\w*\b)
      (?!.{0,250}(?:question|following|below|this|passage|these|task))
      [^\n?]{1,250}\n\s*\n""",
    re.IGNORECASE | re.VERBOSE,
)

# How a role is given before the ask. "You are given a list" gives none.
_ROLE = re.compile(
    r"""\W{0,9}(?:
      (?i:(?:imagine\ (?:that\ )?)?(?:you\ are|you['’]re))\ (?:(?i:an?|the|my|our|now)\ |[A-Z])
    | (?i:pretend\ (?:that\ )?(?:you|to\ be)|act\ as|i\ want\ you\ to\ act|stay\ in\ character
      |take\ (?:on\ )?the\ role|speak\ like|role-?play|from\ now\ on|let['’]?s\ play
      |as\ if\ you\ were|actúa\ como|eres\ un|du\ bist\ ein|stell\ dir\ vor,\ du
      |tu\ es\ une?|agis\ comme|ты\ \w+ый|представь|você\ é\ um|finja|sei\ un)\b
    | あなたは | 你是 | 请扮演 | 假设你是 | أنت
    )""",
    re.VERBOSE,
)
_PARAGRAPH = re.compile(r"(?:(?!task)[^\n?？]){1,250}\n\s*\n")
# How its sentences begin if they go on about the role; others may be the ask.
_GOES_ON = re.compile(
    r"(?:be|answer|respond|reply|keep|never|always|do|don['’]t|use|you|your|no|not|today|think|speak"
    r"|cite|stay|prefer|avoid|knowledge|if|when|the user|users|responde|responda"
    r"|antworte|réponds|отвечай)\b|丁寧|回答|请|أجب",
    re.IGNORECASE,
)
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
_ASK_BYTES, _ASK_CHARS = 15, 600
# Markdown around the whole: quotation, heading, list, emphasis, and their ends.
_DRESS = re.compile(
    r"(?:\s|>|\#+\s|-+\s|\*+|</?b>|(?:question|task|prompt|user\ request):?\s*\n)+", re.IGNORECASE
)
_UNDRESSED = re.compile(r"\s*(?:\#+\s*(?:answer|response):?|\*+|-{3,}|</b>)\s*$", re.IGNORECASE)
_DRESS_ENDS = ("*", "---", "</b>", "nswer", "nswer:", "esponse", "esponse:")
# Who speaks to the one who plays the role.
_SAYS = re.compile(
    r"(?:[\w'’]+\ ){1,5}(?:says?|asks?|leans|tells|whispers|shouts)\b[^.:,\n]{0,20}[:,]\s*"
)


def without_wrapping(text: str) -> str:
    """The text without courtesy, markdown around the whole, and what sets a scene or gives a role
    before the ask, also where one is inside another."""
    for _ in range(_DEEPEST):
        inner = _without_role(_without_scene(undressed(_without_courtesy(text))))
        if inner is text:
            break
        text = inner
    return text


def _without_courtesy(text: str) -> str:
    """The text without greetings, thanks and the like before and after it."""
    opening = _COURTESY.match(text) if _may_open(text) else None
    bare = text if opening is None or not opening.end() else text[opening.end() :]
    if bare[-_THANKS_CHARS:].rstrip(_LAST_SIGNS).lower().endswith(_LAST):
        ending = _THANKS.search(bare, max(0, len(bare) - _THANKS_CHARS))
        if ending is not None:
            bare = bare[: ending.start()]
    return bare if len(bare) >= _LEAST_ASK else text


def _may_open(text: str) -> bool:
    """Whether something before the ask may begin here."""
    if "*" in text[:10] or text[:1] == "[":
        return True
    first = _FIRST.match(text)
    if first is None:
        return False
    word = first[1].lower()
    return word in _FIRST_WORDS or word.startswith(_FIRST_LETTERS)


def _without_scene(text: str) -> str:
    if not _may_open(text):
        return text
    found = _MANNERS.match(text)
    if found is None:
        found = _NOTE.match(text)
        if found is None or not (found[1].endswith(_NOTE_ENDS) or _ROLE.match(found[1])):
            return text
        found = _SAYS.match(text, found.end()) or found
    return text[found.end() :] if _is_ask(text[found.end() :]) else text


def _is_ask(rest: str) -> bool:
    # In bytes, since ten Chinese letters say as much as thirty Latin ones.
    return len(rest) < _ASK_CHARS and len(rest.encode("utf-8", "replace")) >= _ASK_BYTES


def _without_role(text: str) -> str:
    """The text after a role that its first paragraph or sentence gives ("You are a pirate.")."""
    if not _ROLE.match(text):
        return text
    paragraph, sentence = _PARAGRAPH.match(text), _SENTENCE.match(text)
    if paragraph and sentence and sentence.end() < paragraph.end():
        more = text[sentence.end() : paragraph.end()]
        # "You are Nova. Be brief.": all of it; "You are Nova. List her traits.": not the ask.
        paragraph = paragraph if _GOES_ON.match(more) else None
    opening = paragraph or sentence
    if opening is None or not _is_ask(text[opening.end() :]):
        return text
    end = opening.end()
    if paragraph is None and _GAME.search(text, end, end + _GAME_CHARS):
        return text
    if spoken := _SAYS.match(text, end):
        end = spoken.end()
    return text[end:]


def undressed(text: str) -> str:
    """The text without markdown around the whole of it."""
    opening = _DRESS.match(text)
    bare = text if opening is None else text[opening.end() :]
    if bare.endswith(_DRESS_ENDS):
        bare = _UNDRESSED.sub("", bare)
    return bare if len(bare) >= LEAST else text
