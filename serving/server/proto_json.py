"""Writes protocol buffers as JSON, with one call for both generations of protobuf that are installed.

Protobuf 5 renamed an option of 4. TFX 1.16 needs 4: with locks/ml-glibc-2.36.txt this module goes.
"""

import google.protobuf
from google.protobuf import json_format
from google.protobuf.message import Message

_PRINT_ALL_FIELDS = (
    "including_default_value_fields"
    if int(google.protobuf.__version__.partition(".")[0]) < 5
    else "always_print_fields_with_no_presence"
)


def to_json(message: Message) -> dict[str, object]:
    """Returns a message as JSON data: every field printed, by its name in the .proto file; int64 as text."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True, **{_PRINT_ALL_FIELDS: True})
