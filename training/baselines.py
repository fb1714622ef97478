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
    """Probabilities [rows, 4] of scikit-learn's TF-IDF of words, pairs and character n-grams
    with logistic regression, trained on ``train`` with the same weights as ours."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    features = make_union(
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=100_000),
        TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4), min_df=3,
                        max_features=100_000),
    )  # fmt: skip
    model = make_pipeline(features, LogisticRegression(C=4, max_iter=60))
    texts = [row.text[:2_000] for row in train]
    model.fit(texts, labels(train), logisticregression__sample_weight=weights(train))
    found: Floats = model.predict_proba([row.text[:2_000] for row in rows]).astype(np.float32)
    return found
