"""What the classifier is measured against: rules of keywords, and TF-IDF with a linear model."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matrix import Floats
from rows import Row, labels, weights

from prism.routing.catalog import TASKS, Task

# Rules as routers without a model have them: marks of code, words of mathematics, words of long
# work, and length. First match counts.
_RULES = (
    (Task.CODE, re.compile(
        r"```|\bdef |\bclass \w+[(:{]|#include|;\s*$|</\w+>|\bselect\b.+\bfrom\b"
        r"|\b(?:python|javascript|typescript|java|c\+\+|rust|golang|sql|html|css|bash|regex|api"
        r"|function|code|script|bug|compile|docker|git|algorithm|debug|refactor)\b|代码|函数",
        re.IGNORECASE | re.MULTILINE)),
    (Task.REASONING, re.compile(
        r"\b(?:prove|proof|theorem|derive|solve|calculate|compute|how many|probability|equation"
        r"|integral|step by step|logic|deduce|explain why|percent)\b|\\frac|\$[^$]+\$"
        r"|证明|计算|概率",
        re.IGNORECASE)),
    (Task.COMPLEX, re.compile(
        r"\b(?:write|essay|story|plan|design|analy[sz]e|compare|strategy|report|draft|create"
        r"|develop|poem|article|act as|discuss|outline|brainstorm|ideas)\b|写一|设计|分析|制定",
        re.IGNORECASE)),
)  # fmt: skip
LONG = 1_200
# Characters of a text that the TF-IDF baseline reads.
READ = 2_000


def keywords(text: str) -> Task:
    """The task by the first rule that fits; long texts are complex, the rest is simple."""
    for task, rule in _RULES:
        if rule.search(text):
            return task
    return Task.COMPLEX if len(text) > LONG else Task.SIMPLE


def keyword_answers(rows: Sequence[Row]) -> Floats:
    """As probabilities [rows, 4], all on one task."""
    found = [TASKS.index(keywords(row.text)) for row in rows]
    return np.eye(len(TASKS), dtype=np.float32)[found]


def tfidf_answers(train: Sequence[Row], rows: Sequence[Row]) -> Floats:
    """Probabilities [rows, 4] of scikit-learn's TF-IDF of words and pairs of words (of
    characters, in Chinese and Japanese) with logistic regression; weighted as ours is."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=80_000,
        token_pattern=r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W\u3040-\u30ff\u4e00-\u9fff]+",  # noqa: S106 (a pattern, no password)
    )  # fmt: skip
    model = LogisticRegression(C=4, max_iter=300)
    seen = words.fit_transform([row.text[:READ] for row in train])
    model.fit(seen, labels(train), sample_weight=weights(train))
    asked = words.transform([row.text[:READ] for row in rows])
    found: Floats = model.predict_proba(asked).astype(np.float32)
    return found
