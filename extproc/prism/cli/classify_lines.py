"""JSON lines with a prompt each, as ``prism classify`` and ``prism train`` read them."""

from __future__ import annotations

import json


def text_of_line(line: bytes) -> str:
    """The text to classify of one JSON line. Raises ``ValueError`` with what is wrong."""
    try:
        said = json.loads(line)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(said, dict):
        raise ValueError('not an object; write {"text": "..."}')
    if "text" in said:
        if not isinstance(said["text"], str):
            raise ValueError("'text' is not a string")
        return said["text"]
    if "messages" in said:
        return _text_of_messages(said["messages"])
    raise ValueError("has neither 'text' nor 'messages'")


def _text_of_messages(said: object) -> str:
    """What the gateway would show the classifier of these messages."""
    from prism.prompt.chat import classifier_text, read_messages
    from prism.prompt.document import BadBody

    try:
        messages = read_messages(json.dumps(said).encode())
    except BadBody as error:
        raise ValueError(str(error)) from None
    if not messages:
        raise ValueError("'messages' is empty")
    return classifier_text(messages)
