"""The model that ships: small, as good as its card says, and the same in both of its files."""

import subprocess
import sys

import numpy as np
import pytest

from asyncpatterns.chatbot import INTENTS, KERAS_FILE, MODEL_DIR, decode, encode, load_keras_model, load_utterances
from asyncpatterns.serving import TensorFlowModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outputs():
    """(test utterances, what the SavedModel says to them)"""
    utterances = load_utterances("test")
    model = TensorFlowModel(MODEL_DIR)
    yield utterances, model.run({"tokens": encode([utterance.text for utterance in utterances])})
    model.close()


def test_both_files_are_at_most_three_megabytes():
    assert sum(path.stat().st_size for path in MODEL_DIR.rglob("*") if path.is_file()) <= 3_000_000
    assert KERAS_FILE.stat().st_size <= 3_000_000


def test_the_accuracy_on_the_test_set_is_the_one_on_the_model_card(outputs):
    utterances, said = outputs
    right = np.mean([INTENTS[best] == utterance.intent
                     for best, utterance in zip(said["intent"].argmax(axis=1), utterances, strict=True)])
    card = (MODEL_DIR.parents[1] / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{right:.1%}" in card
    assert right >= 0.90


def test_the_keras_file_says_the_same(outputs):
    utterances, said = outputs
    tokens = encode([utterance.text for utterance in utterances])
    answers = load_keras_model().predict(tokens, verbose=0)
    assert all(np.allclose(answers[name], said[name], atol=1e-4) for name in said)


def test_an_understanding_has_an_intent_a_confidence_and_slots_from_the_text(outputs):
    utterances, said = outputs
    for utterance, intent, slots in zip(utterances, said["intent"], said["slots"], strict=True):
        understanding = decode(utterance.text, intent, slots)
        assert understanding.intent in INTENTS and 0 < understanding.confidence <= 1
        assert all(utterance.text[slot.start:slot.end] == slot.text for slot in understanding.slots)


def test_importing_the_chatbot_does_not_import_tensorflow():
    code = "import sys, asyncpatterns.chatbot; print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_training_runs_from_end_to_end(tmp_path):
    arguments = ["--output", str(tmp_path), "--epochs", "1", "--examples", "2000"]
    command = [sys.executable, "-m", "asyncpatterns.chatbot.train", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "Intent accuracy" in run.stdout and "Slot F1" in run.stdout
    assert (tmp_path / "intent" / "1" / "saved_model.pb").exists() and (tmp_path / "MODEL_CARD.md").exists()
