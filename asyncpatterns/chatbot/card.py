"""Writes the model card: everything in it comes from the run that it describes."""

from argparse import Namespace
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np

from .corpus import generate, load_utterances, training_templates
from .evaluate import Scores, confusion_table, f1, most_confused, nearness
from .labels import INTENTS, LENGTH, SLOTS
from .model import HEADS, LAYERS, WIDTH
from .network import COMPANY, STATIONS
from .tokenizer import BUCKETS, Tokenizer

_CARD = """# Model card: the chatbot of {company}

Says what a passenger wants ({n_intents} intents) and which stations, dates, times and numbers the sentence names
({n_slots} slots). The railway is invented; the model is an example to serve, batch and play with.

| | |
|---|---|
| Architecture | transformer over words and groups of three, depth {layers}, width {width}, {heads} heads; Keras only |
| Parameters | {parameters:,} |
| Input | `tokens` int32 [n, {length}]: {words:,} words, {buckets} buckets for unknown ones, 0 for padding |
| Output | `intent` float32 [n, {n_intents}] and `slots` float32 [n, {length}, {n_labels}], logits |
| Files | SavedModel {saved_mb:.2f} MB, `intent.keras` {keras_mb:.2f} MB |
| Trained | {seconds:.0f} s, {epochs} epochs of {examples:,} fresh sentences, seed {seed} |
| With | TensorFlow {tensorflow}, Keras {keras} |

## Results on the test set

| | |
|---|---|
| Utterances | {n_test} |
| **Intent accuracy** | **{accuracy:.1%}** (standard error {error:.1%}) |
| **Slot F1** (name and place exactly right, micro-averaged over {n_gold} slots) | **{slot_f1:.3f}** |

By how near the nearest of 50,000 training sentences comes (words in both divided by words in either, slots masked):

| nearness | utterances | intent accuracy |
|---|---|---|
{by_nearness}

By how sure the model says it is (its confidence, 0 to 1):

| confidence | utterances | intent accuracy |
|---|---|---|
{by_confidence}

Most confused:

| meant | said | times |
|---|---|---|
{confused}

| slot | F1 | right | wrong | missed |
|---|---|---|---|---|
{by_slot}

| intent | recall | precision |
|---|---|---|
{by_intent}

Confusion matrix, rows meant, columns said:

```
{matrix}
```

## Data

- Training: {n_templates:,} hand-written templates with alternatives, filled with {n_stations} stations and their
  nicknames, places nobody knows, dates, times and numbers, then roughened by seeded noise: typos, slang, missing words,
  odd case.
- Development: {n_dev} hand-written utterances. Templates, noise, architecture and training were chosen on these, so
  that they flatter the model, and on sentences of template files that were left out of a training for that.
- Test: {n_test} hand-written utterances, most of them written before the first template, all before the first training.

The test set served for the figures above and for nothing else: its errors were not looked at, and no choice was made by
them. Templates and test set have the same authors, and the templates came later. So a test keeps the two apart: no
template can make an utterance of the test set, not even with the greetings, synonyms, slang and left out words that
training adds.

## Limits

- English, one intent a sentence, the first {length} words. A question with two wishes gets one of them.
- It knows the words of its templates. What it was never told about it takes for something near at hand: `out_of_scope`
  is the intent to trust least.
- `from` and `to` are learned from how people phrase a journey: bare lists of stations are guessed by their order.
- One-word answers ("right", "later", "sorry") mean different things in different conversations, and the model sees no
  conversation.
"""


def write_card(
    path: Path, scores: Scores, parameters: int, tokenizer: Tokenizer, options: Namespace, seconds: float, output: Path
) -> None:
    """Writes the card of the model in the folder `output`."""
    near = nearness(scores.utterances, list(generate(50_000, options.seed + 1, noise=0.0)))
    card = _CARD.format(
        company=COMPANY,
        n_intents=len(INTENTS),
        n_slots=len(SLOTS),
        n_labels=2 * len(SLOTS) + 1,
        length=LENGTH,
        parameters=parameters,
        layers=LAYERS,
        width=WIDTH,
        heads=HEADS,
        words=len(tokenizer.words),
        buckets=BUCKETS,
        saved_mb=_megabytes(output / "intent"),
        keras_mb=_megabytes(output / "intent.keras"),
        seconds=seconds,
        epochs=options.epochs,
        examples=options.examples,
        seed=options.seed,
        tensorflow=version("tensorflow"),
        keras=version("keras"),
        n_test=len(scores.utterances),
        accuracy=scores.accuracy,
        error=float(scores.right.std() / len(scores.right) ** 0.5),
        slot_f1=scores.slot_f1,
        n_gold=sum(len(utterance.slots) for utterance in scores.utterances),
        by_nearness=_by(near, scores.right, (0.0, 0.4, 0.6, 0.8, 1.0)),
        by_confidence=_by(scores.confidence, scores.right, (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)),
        confused=_rows(most_confused(scores.confusion)),
        by_slot=_rows((name, f"{f1(*counts):.3f}", *counts) for name, counts in scores.slot_counts.items()),
        by_intent=_rows(_precision_and_recall(scores.confusion)),
        matrix=confusion_table(scores.confusion),
        n_templates=sum(len(nodes) for nodes in training_templates().values()),
        n_stations=len(STATIONS),
        n_dev=len(load_utterances("dev")),
    )
    path.write_text(card, encoding="utf-8")


def _megabytes(path: Path) -> float:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / 1e6


def _rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _by(values: np.ndarray, right: np.ndarray, edges: tuple[float, ...]) -> str:
    """A row for each interval of the values: how many, and how often the intent was right."""
    rows = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values < high) | (high == edges[-1]))
        rows.append((f"{low} to {high}", int(inside.sum()), f"{right[inside].mean():.1%}" if inside.any() else "–"))
    return _rows(rows)


def _precision_and_recall(confusion: np.ndarray) -> list[tuple[str, str, str]]:
    right = confusion.diagonal()
    recall, precision = right / np.maximum(confusion.sum(axis=1), 1), right / np.maximum(confusion.sum(axis=0), 1)
    return [(intent, f"{recall[i]:.0%}", f"{precision[i]:.0%}") for i, intent in enumerate(INTENTS)]
