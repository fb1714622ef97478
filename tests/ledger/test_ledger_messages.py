"""A decision and feedback on it in Envoy's messages, through the processor into a ledger."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from tests.unit.clock import Clock
from tests.unit.stages import live
from tests.unit.test_serve_turns import Sure

from prism.envoy.names import EXT_PROC
from prism.ledger.finding import find
from prism.ledger.retention import Bounds
from prism.ledger.store import Store
from prism.ledger.writer import Writer
from prism.routing.feedback import Feedback
from prism.serve.budget import RetryBudgets
from prism.serve.conversations import Conversations
from prism.serve.feedback import Submissions
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.small import SmallRequests

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


class Stream:
    """A stream of Envoy's: headers, then the body, as gRPC gives them."""

    def __init__(self, path: str, body: bytes) -> None:
        headers, data = ProcessingRequest(), ProcessingRequest()
        for name, value in ((":method", "POST"), (":path", path)):
            headers.request_headers.headers.headers.add(key=name, raw_value=value.encode())
        data.request_body.body = body
        self._messages = [headers, data]
        self.answers: list[ProcessingResponse] = []

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def read(self) -> Any:
        return self._messages.pop(0) if self._messages else grpc.aio.EOF

    async def write(self, answer: bytes) -> None:
        self.answers.append(ProcessingResponse.FromString(answer))


async def streamed(processor: Processor, path: str, body: Any) -> ProcessingResponse:
    stream = Stream(path, json.dumps(body).encode())
    await processor.process(None, stream)
    return stream.answers[-1]


async def at_once(processor: Processor, path: str, body: Any) -> ProcessingResponse:
    message = ProcessingRequest()
    message.request_body.body = json.dumps(body).encode()
    fields = message.attributes[EXT_PROC].fields
    fields["request.method"].string_value = "POST"
    fields["request.path"].string_value = path
    answer = await SmallRequests(processor).answer(message, None)
    await asyncio.sleep(0)  # the record is kept after the answer
    return ProcessingResponse.FromString(answer)


@pytest.mark.parametrize("ask", [streamed, at_once])
async def test_a_decision_and_what_is_said_of_it(store: Store, ask: Any) -> None:
    clock = Clock()
    writer = Writer(store, Bounds())
    recent = Recent(keeper=writer)
    submissions = Submissions(store, recent)
    processor = Processor(
        Sure(),
        HealthTracker(clock),
        recent,
        KeyTracker(clock),
        RaceLedger(clock),
        RetryBudgets(clock),
        Conversations(clock),
        submissions=submissions,
    )
    processor.live = live()
    answer = await ask(processor, "/v1/chat/completions", CHAT)
    assert not answer.HasField("immediate_response")
    (record,) = recent.newest(1)
    said = {"decision_id": record.decision_id, "thumbs": "up"}
    for _ in range(2):
        answer = (await ask(processor, "/v1/prism/feedback", said)).immediate_response
        assert answer.status.code == 200
        assert json.loads(answer.body)["score"] == 1.0
    nobody = {"decision_id": "0" * 28, "score": 1}
    answer = (await ask(processor, "/v1/prism/feedback", nobody)).immediate_response
    assert answer.status.code == 404
    assert json.loads(answer.body)["error"]["code"] == "decision_not_found"
    await ask(processor, "/v1/prism/route", CHAT)  # a dry run is not kept
    writer.start()
    writer.close(60)
    assert writer.status()["written"] == 1
    with store.reading() as connection:
        found = find(connection, record.decision_id)
    assert found is not None
    assert found.record == record
    assert found.feedback == (Feedback(record.decision_id, 1.0, labels={}),)
    submissions.close()
