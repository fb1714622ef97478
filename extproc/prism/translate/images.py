"""Pictures and PDF files: OpenAI's data URLs and Anthropic's sources."""

from __future__ import annotations

from typing import Any

from prism.translate.fields import Fields
from prism.translate.untranslatable import Untranslatable

PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
"""The media types that Anthropic's Messages take (``Base64ImageSourceParam`` of its SDK)."""
_PDF = "application/pdf"


def picture_block(part: Fields) -> dict[str, Any]:
    """OpenAI's ``image_url`` part as an ``image`` block.

    ``detail`` is left out: Anthropic's models look at each picture at their own resolution.
    """
    image = Fields(part.any("image_url"), part.at("image_url"))
    url = image.need("url", str)
    image.ignore(["detail"])
    image.done()
    return {"type": "image", "source": _source(url, image.at("url"))}


def _source(url: str, path: str) -> dict[str, Any]:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    media_type, data = _unpacked(url, path)
    if media_type not in PICTURES:
        known = ", ".join(PICTURES)
        raise Untranslatable(path, f"Anthropic's API takes pictures of type {known} only.")
    return {"type": "base64", "media_type": media_type, "data": data}


def _unpacked(url: str, path: str) -> tuple[str, str]:
    """Media type and base64 data of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    media_type, *parameters = head.removeprefix("data:").split(";")
    if not comma or not head.startswith("data:") or parameters[-1:] != ["base64"]:
        raise Untranslatable(path, "This must be an https URL or a data URL in base64.")
    media_type = media_type.lower()
    return ("image/jpeg" if media_type == "image/jpg" else media_type), data


def picture_part(block: Fields) -> dict[str, Any]:
    """Anthropic's ``image`` block as an ``image_url`` part."""
    source = Fields(block.any("source"), block.at("source"))
    block.ignore(["cache_control"])
    block.done()
    match source.need("type", str):
        case "base64":
            media_type = source.need("media_type", str)
            url = f"data:{media_type};base64,{source.need('data', str)}"
        case "url":
            url = source.need("url", str)
        case kind:
            reason = f"A picture from a source of type {kind!r} is known to Anthropic alone."
            raise Untranslatable(source.path, reason)
    source.done()
    return {"type": "image_url", "image_url": {"url": url}}


def file_block(part: Fields) -> dict[str, Any]:
    """OpenAI's ``file`` part, a PDF with its data, as a ``document`` block."""
    file = Fields(part.any("file"), part.at("file"))
    file.refuse({"file_id": "A file kept at OpenAI can't be read by another provider."})
    title = file.get("filename", str)
    path = file.at("file_data")
    media_type, data = _unpacked(file.need("file_data", str), path)
    file.done()
    if media_type != _PDF:
        raise Untranslatable(path, "Of files, Anthropic's API takes PDF only.")
    source = {"type": "base64", "media_type": media_type, "data": data}
    block: dict[str, Any] = {"type": "document", "source": source}
    if title:
        block["title"] = title
    return block


def document_part(block: Fields) -> dict[str, Any]:
    """Anthropic's ``document`` block as a ``file`` part (PDF) or a ``text`` part."""
    source = Fields(block.any("source"), block.at("source"))
    title = block.get("title", str)
    context = block.get("context", str)
    citations = block.get("citations", dict)
    if citations and citations.get("enabled"):
        raise Untranslatable(block.at("citations"), "OpenAI's API has no citations.")
    block.ignore(["cache_control"])
    block.done()
    kind = source.need("type", str)
    if kind == "text":
        source.ignore(["media_type"])
        text = source.need("data", str)
        source.done()
        return {"type": "text", "text": "\n".join(filter(None, (title, context, text)))}
    if kind != "base64" or context:
        path = source.path if kind != "base64" else block.at("context")
        reason = "OpenAI's API takes PDF documents as base64 data only, and without a context."
        raise Untranslatable(path, reason)
    url = f"data:{source.need('media_type', str)};base64,{source.need('data', str)}"
    source.done()
    file = {"filename": title or "document.pdf", "file_data": url}
    return {"type": "file", "file": file}
