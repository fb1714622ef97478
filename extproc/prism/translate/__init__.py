"""Between OpenAI's Chat Completions and Anthropic's Messages, both ways.

Pure: bytes to bytes; time and ids are inputs, or come from the provider's answer. What one API
can say and the other can't is refused as ``Untranslatable``, with its place and the reason, and
never left out. The few members that are left out change no answer by their meaning; each is
named where it is (``IGNORED``) and in ``docs/providers-apis.md``.

The shapes are those of the current SDKs (``anthropic`` 2.14, ``openai`` 3.57), which the tests
check against.
"""

from prism.translate.answers import to_anthropic_answer, to_openai_answer
from prism.translate.anthropic_stream import AnthropicStream
from prism.translate.chat_request import DEFAULT_MAX_TOKENS, to_anthropic_request
from prism.translate.messages_request import to_openai_request
from prism.translate.openai_stream import OpenAiStream
from prism.translate.untranslatable import Untranslatable

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "AnthropicStream",
    "OpenAiStream",
    "Untranslatable",
    "to_anthropic_answer",
    "to_anthropic_request",
    "to_openai_answer",
    "to_openai_request",
]
