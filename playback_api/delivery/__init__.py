"""How media objects travel over HTTP, the same from the origin and from every edge.

Here belong object keys, media types, byte ranges, conditional requests and the raw ASGI replies that carry objects.
What an object is, and where its bytes come from, belongs to the origin and to ``playback_api.edge``.
"""

from playback_api.delivery.byte_range import ByteRange, RangeNotSatisfiableError, parse_byte_range
from playback_api.delivery.metrics_text import prometheus_text
from playback_api.delivery.object_key import is_immutable, is_object_key
from playback_api.delivery.reply import (
    MediaRequest,
    ObjectFacts,
    Reply,
    read_media_request,
    reply_for_object,
    send_bytes,
    send_error,
    send_file,
    send_preflight,
)

__all__ = [
    "ByteRange",
    "MediaRequest",
    "ObjectFacts",
    "RangeNotSatisfiableError",
    "Reply",
    "is_immutable",
    "is_object_key",
    "parse_byte_range",
    "prometheus_text",
    "read_media_request",
    "reply_for_object",
    "send_bytes",
    "send_error",
    "send_file",
    "send_preflight",
]
