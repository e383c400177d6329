"""The worked example: a railway's support chatbot. Text in, an intent and slots out, by a small model that ships here.

    from asyncpatterns.chatbot import MODEL_DIR, decode, encode, sample_requests

    texts = sample_requests(64)
    outputs = model(encode(texts))                    # any server's answer for these rows
    decode(texts[0], outputs["intent"][0], outputs["slots"][0])

And the conversations, one virtual actor with a pipeline of its own for every user, all of them before that one model:

    async with Chat(MeaningModel()) as chat:
        answer = await chat.say("alice", "i want my money back")

Importing this package does not import TensorFlow; training and `load_keras_model` do.
"""

from .chat import Chat
from .conversation import Answer, Conversation, FromHuman, Order, View
from .corpus import Slot, Utterance, generate, load_utterances, sample_requests
from .humans import Case, HumanDesk
from .labels import INTENTS, LENGTH, SLOT_LABELS, SLOTS
from .meaning import Meaning, MeaningModel, ModelCrash
from .model import KERAS_FILE, MODEL_DIR, load_keras_model, quiet_tensorflow
from .network import BOT, COMPANY, STATIONS, find_station
from .pipeline import Pipeline, Stage
from .population import Population, PopulationReport
from .scripts import Library, PerfectModel, Said
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
    "Answer",
    "Case",
    "Chat",
    "Conversation",
    "FromHuman",
    "HumanDesk",
    "Library",
    "Meaning",
    "MeaningModel",
    "ModelCrash",
    "Order",
    "PerfectModel",
    "Pipeline",
    "Population",
    "PopulationReport",
    "Said",
    "Slot",
    "Stage",
    "Tokenizer",
    "Understanding",
    "Utterance",
    "View",
    "decode",
    "encode",
    "find_station",
    "generate",
    "load_keras_model",
    "load_utterances",
    "quiet_tensorflow",
    "sample_requests",
]
