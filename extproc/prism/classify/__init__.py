"""The task classifier: what kind of work a prompt asks for.

``Classifier`` wraps one ONNX file that holds everything the model needs; the shipped one is
``classify/model/task.onnx``, made by ``training/train.py``. Callers give the text of the
last user turn, after the turn before it where it leans on that, and no system prompt. Only
``HEAD_CHARS`` of its head and ``TAIL_CHARS`` of its tail are read; callers may clip alike.

onnxruntime is imported when the first ``Classifier`` is made, not with this package.
"""

from prism.classify.classifier import SHIPPED, Classifier
from prism.classify.features import HEAD_CHARS, TAIL_CHARS
from prism.classify.model_file import ModelRefused

__all__ = ["HEAD_CHARS", "SHIPPED", "TAIL_CHARS", "Classifier", "ModelRefused"]
