"""The usage of an answer, in the shapes of several providers, to counts of tokens.

Sources: OpenAI's API reference ("The chat completion object", "The response object"),
Anthropic's ("Messages", "Prompt caching"), LiteLLM's spend logs, DeepSeek's context caching.
"""

from __future__ import annotations

import msgspec

from prism.savings.usage import MOST_TOKENS, BadLine, Tokens


class Details(msgspec.Struct, gc=False):
    """Parts of the input: cached tokens, as OpenAI and those like it count them."""

    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None


class UsageObject(msgspec.Struct, gc=False):
    """``usage`` of an answer. A member that is not there is ``None``.

    OpenAI's ``prompt_tokens`` (``input_tokens`` in Responses) have the cached ones in them;
    Anthropic's ``input_tokens`` have neither those read from its cache nor those written.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None

    def tokens(self) -> Tokens | None:
        """The counts, ``None`` where there are none. Raises ``BadLine``."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int) and not 0 <= value <= MOST_TOKENS:
                raise BadLine(f"usage: {name} is no count of tokens")
        if self.prompt_tokens is not None or self.completion_tokens is not None:
            return self._inclusive(self.prompt_tokens or 0, self.completion_tokens or 0)
        if self.input_tokens is None and self.output_tokens is None:
            return None
        given, output = self.input_tokens or 0, self.output_tokens or 0
        read, written = self.cache_read_input_tokens, self.cache_creation_input_tokens
        if read is None and written is None:
            return self._inclusive(given, output)
        cached, new = read or 0, written or 0
        return Tokens(given + cached + new, output, cached, new)

    def _inclusive(self, given: int, output: int) -> Tokens:
        details = self.prompt_tokens_details or self.input_tokens_details or Details()
        cached = self.cache_read_input_tokens or self.prompt_cache_hit_tokens
        cached = details.cached_tokens or cached or 0
        written = self.cache_creation_input_tokens or details.cache_creation_tokens or 0
        if cached + written > given:
            raise BadLine("usage: more cached tokens than tokens of input")
        return Tokens(given, output, cached, written)


_DECODER = msgspec.json.Decoder(UsageObject)


def read_usage(encoded: bytes | msgspec.Raw) -> UsageObject:
    """Decode a ``usage`` object. Raises ``BadLine``."""
    try:
        return _DECODER.decode(encoded)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(f"usage: {error}") from None
