"""Whether a short turn of a conversation asks something of its own."""

from __future__ import annotations

import re

SHORT_TURN_CHARS = 40
"""A turn of as many characters or more is read alone."""
# Fewer words, or fewer characters of a script without blanks, are no ask of their own.
_LEAST_WORDS = 4
_LEAST_DENSE = 8

# "and in Rust?", "now shorter", "yes please": how a turn begins that goes on from another.
_GOES_ON = re.compile(
    r"""\W*(?:and|now|then|but|so|also|ok(?:ay)?|yes|yeah|no|nope|or|in|with(?:out)?|for|what\ about
    |how\ about|why\ not|same|again|more|another|continue|go\ on|keep|try|use|add|remove|change
    |make|y|ahora|sí|e|agora|sim|et|maintenant|oui|und|jetzt|ja|nein|auch|а|и|теперь|да|нет|ещё
    |और|अब|हाँ|نعم|الآن)\b
    | \W*(?:再|继续|換|换|改|那|还|现在|もう|では|じゃあ|それ)""",
    re.IGNORECASE | re.VERBOSE,
)
# "translate it", "the second one": words that stand for something said before.
_POINTS_BACK = re.compile(
    r"""\b(?:it|its|that|this|these|those|them|they|he|she|his|her|him|same|again|more|another
    |other|else|instead|too|above|previous(?:ly)?|before|earlier|last|next|ones?|shorter|longer
    |better|simpler|option|both|answer|eso|esto|otr[oa]|también|más|isso|isto|outr[oa]|também|mais
    |ça|cela|autre|aussi|plus|dies\w*|noch|andere\w*|mehr|kürzer|это|этот|его|её|их|ещё|тоже
    |यह|वह|इसे|उसे|هذا|هذه|ذلك|أيضا)\b
    | [它这那她他]|上面|刚才|一样|呢[？?]?$|これ|それ|その|もっと|続き|-l[oea]s?\b""",
    re.IGNORECASE | re.VERBOSE,
)
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def leans_on_before(turn: str) -> bool:
    """Whether the turn says little without the one before it: it is short, and has few words,
    begins as one that goes on, or points back ("make it shorter"). "What is 15% of 80?" does
    not."""
    if len(turn) >= SHORT_TURN_CHARS:
        return False
    dense = len(_DENSE.findall(turn))
    few = dense < _LEAST_DENSE if dense else len(turn.split()) < _LEAST_WORDS
    return few or _GOES_ON.match(turn) is not None or _POINTS_BACK.search(turn) is not None
