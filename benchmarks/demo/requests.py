"""What is asked, and what the right answer is: sentences of the corpus, and a direct call of the model on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from asyncpatterns.chatbot import MODEL_DIR, encode, sample_requests
from asyncpatterns.serving import TensorFlowModel

TOLERANCE = 1e-3        # of logits that span about ±10; a batch's size moves the sixth digit


@dataclass
class Exam:
    """`bodies[i]` is a request, `expected[name][i]` the direct answer to it."""

    bodies: list[bytes]
    expected: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.bodies)

    def wrong(self, replies: list[tuple[int, bytes]]) -> list[str]:
        """A sentence for each reply (index of the request, body of the answer) that is not the model's own answer."""
        return [text for index, body in replies if (text := self._fault(index, body))]

    def _fault(self, index: int, body: bytes) -> str | None:
        try:
            [row] = orjson.loads(body)["predictions"]
            close = all(np.allclose(row[name], answers[index], atol=TOLERANCE, rtol=TOLERANCE)
                        for name, answers in self.expected.items())
        except (KeyError, TypeError, ValueError) as error:
            return f"request {index}: not an answer ({error!r}): {body[:100]!r}"
        return None if close and row.keys() == self.expected.keys() else f"request {index}: not what the model says"


def prepare(count: int = 1024, seed: int = 0) -> Exam:
    tokens = encode(sample_requests(count, seed=seed))
    model = TensorFlowModel(MODEL_DIR)
    expected = model.run({next(iter(model.signature.inputs)): tokens})
    model.close()
    return Exam([_body(row) for row in tokens], expected)


def _body(row: Any) -> bytes:
    return orjson.dumps({"instances": [row.tolist()]})
