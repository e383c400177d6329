"""The worked example: a railway's support chatbot. Text in, an intent and slots out, by a small model that ships here.

    from asyncpatterns.chatbot import MODEL_DIR, decode, encode, sample_requests

    texts = sample_requests(64)
    outputs = model(encode(texts))                    # any server's answer for these rows
    decode(texts[0], outputs["intent"][0], outputs["slots"][0])

Importing this package does not import TensorFlow; training and `load_keras_model` do.
"""

from .corpus import Slot, Utterance, generate, load_utterances, sample_requests
from .labels import INTENTS, LENGTH, SLOT_LABELS, SLOTS
from .model import KERAS_FILE, MODEL_DIR, load_keras_model, quiet_tensorflow
from .network import BOT, COMPANY, STATIONS, find_station
from .tokenizer import Tokenizer, encode
from .understanding import Understanding, decode

__all__ = [
    "BOT",
    "COMPANY",
    "INTENTS",
    "KERAS_FILE",
    "LENGTH",
    "MODEL_DIR",
    "SLOTS",
    "SLOT_LABELS",
    "STATIONS",
    "Slot",
    "Tokenizer",
    "Understanding",
    "Utterance",
    "decode",
    "encode",
    "find_station",
    "generate",
    "load_keras_model",
    "load_utterances",
    "quiet_tensorflow",
    "sample_requests",
]
