"""What schemathesis has to be told about bodies that are no JSON: how to make them, and how to read them.

Bodies of requests are statements that the log under test has logged already, so each is good and none changes anything. Bodies of
answers become what the description says they are in JSON: integer keys as decimal text, byte strings as base64url.
"""

import base64
import io
import os

import cbor2
import requests
import schemathesis
from hypothesis import strategies as st

LOG = os.environ["GOVLOG"]


def entries():
    """Reads the log's first entries from its bundle, each behind its length in two bytes."""
    size = int(requests.get(f"{LOG}/checkpoint", timeout=10).text.split("\n")[1])
    bundle = requests.get(f"{LOG}/tile/entries/000.p/{size}", timeout=10)
    bundle.raise_for_status()
    rest, found = bundle.content, []
    while rest:
        end = 2 + int.from_bytes(rest[:2], "big")
        found.append(rest[2:end])
        rest = rest[end:]
    assert len(found) == size > 4
    return found


ENTRIES = entries()
STATEMENT = st.sampled_from(ENTRIES)
schemathesis.openapi.media_type("application/cose", STATEMENT)
schemathesis.openapi.media_type("application/cbor-seq", st.lists(STATEMENT, max_size=5).map(b"".join))


def view(item):
    if isinstance(item, dict):
        return {str(key): view(value) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [view(value) for value in item]
    if isinstance(item, bytes):
        return base64.urlsafe_b64encode(item).rstrip(b"=").decode()
    return item


# Parameters of a search that name no column.
OTHERS = {"at", "cursor", "limit", "since", "until"}


@schemathesis.hook
def before_call(context, case, **kwargs):
    """JSON Schema cannot relate parameters. Where a search should be good, it has at most sixteen values, its times in order, and a size there is."""
    if case.operation.label != "GET /v1/records" or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    query = case.query or {}
    for name in [name for name in query if name not in OTHERS][16:]:
        del query[name]
    if {"since", "until"} <= query.keys():
        query["since"], query["until"] = sorted((query["since"], query["until"]), key=int)
    if "at" in query:
        query["at"] = 1 + int(query["at"]) % len(ENTRIES)


@schemathesis.deserializer("application/cbor", "application/concise-problem-details+cbor")
def read_cbor(ctx, response):
    return view(cbor2.loads(response.content))


@schemathesis.deserializer("application/cbor-seq")
def read_sequence(ctx, response):
    stream, items = io.BytesIO(response.content), []
    while stream.tell() < len(response.content):
        items.append(view(cbor2.load(stream)))
    return items


@schemathesis.deserializer("application/cose")
def read_cose(ctx, response):
    message = cbor2.loads(response.content)
    assert message.tag == 18, "a COSE_Sign1 is tagged 18"
    return None
