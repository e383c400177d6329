"""Trains the chatbot's model: python -m asyncpatterns.chatbot.train

Draws sentences from the templates, trains the transformer on them, scores what it exported on the hand-written test
set, and writes into the folder of --output:

    intent/1/        the SavedModel, in TensorFlow Serving's layout (signature serving_default: tokens -> intent, slots)
    intent.keras     the same model for keras.models.load_model and model.predict
    vocabulary.txt   the words of its token ids; a model is of no use with the vocabulary of another
    MODEL_CARD.md    data, size, accuracy, slot F1, confusions, limits

Without --ship the model inside the package stays as it is.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import model
from .card import write_card
from .corpus import generate, load_utterances
from .dataset import IGNORED, arrays, batches, build_vocabulary, forget_words
from .evaluate import Predict, Scores, confusion_table, most_confused, score
from .labels import INTENTS, LENGTH
from .tokenizer import Tokenizer

BATCH = 256
LEARNING_RATE = 3e-3
FORGOTTEN = 0.06
"""The share of words that the model must do without, so that it learns to read around words it does not know."""
SLOT_WEIGHT = 3.0
"""How much more the mean loss of a token's label counts than the loss of the intent."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    output = model.MODELS if options.ship else options.output
    began = time.perf_counter()
    tokenizer = Tokenizer(build_vocabulary(u.text for u in generate(50_000, options.seed, noise=0.0)))
    network = train(tokenizer, options.epochs, options.examples, options.seed)
    export(network, tokenizer, output)
    seconds = time.perf_counter() - began
    scores = score(saved_model(output), load_utterances("test"), tokenizer)
    report(scores)
    card = model.MODELS.parent / "MODEL_CARD.md" if options.ship else output / "MODEL_CARD.md"
    write_card(card, scores, network.count_params(), tokenizer, options, seconds, output)
    print(f"\nTrained and exported in {seconds:.0f} s to {output}, model card {card}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m asyncpatterns.chatbot.train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("results/chatbot"), help="default: %(default)s")
    parser.add_argument("--ship", action="store_true", help="write into the package instead of --output")
    parser.add_argument("--epochs", type=_positive, default=4, metavar="N", help="default: %(default)s")
    per_epoch = "fresh sentences for each epoch; default: %(default)s"
    parser.add_argument("--examples", type=_positive, default=90_000, metavar="N", help=per_epoch)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sentences and the weights; default: 0")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def train(tokenizer: Tokenizer, epochs: int, examples: int, seed: int) -> Any:
    """A trained Keras model. The same seed gives the same sentences and the same weights to begin with; sums that
    TensorFlow's threads add up in another order may differ in their last digits."""
    model.quiet_tensorflow()
    import keras
    from tqdm import tqdm

    keras.utils.set_random_seed(seed)
    network = model.build(len(tokenizer), length=None)
    steps = -(-examples // BATCH)
    _compile(network, total_steps=epochs * steps)
    dev_tokens, dev_intents, _ = arrays(load_utterances("dev"), tokenizer)
    with tqdm(total=epochs * steps, unit="batch", desc="training", file=sys.stderr) as bar:
        for epoch in range(epochs):
            sentences = list(generate(examples, seed * 1_000 + epoch + 1))
            network.fit(_examples(sentences, tokenizer, seed + epoch), verbose=0, callbacks=[_progress(bar)])
            said = network.predict(dev_tokens, verbose=0)["intent"].argmax(axis=1)
            bar.write(f"epoch {epoch + 1} of {epochs}: {np.mean(said == dev_intents):.1%} of the development set")
    trained = model.build(len(tokenizer))  # without the optimizer's state, which is twice the size of the model
    trained.set_weights(network.get_weights())
    return trained


def _examples(sentences: list[Any], tokenizer: Tokenizer, seed: int) -> Any:
    """The sentences as a tf.data.Dataset of batches of different lengths."""
    import tensorflow as tf

    tokens, intents, labels = arrays(sentences, tokenizer)
    made = batches((forget_words(tokens, tokenizer, FORGOTTEN, seed), intents, labels), BATCH, seed)
    rows = tf.TensorSpec([None, None], tf.int32)
    signature = (rows, {"intent": tf.TensorSpec([None, len(INTENTS)], tf.float32), "slots": rows})
    dataset = tf.data.Dataset.from_generator(lambda: iter(made), output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(made))).prefetch(2)


def _compile(network: Any, total_steps: int) -> None:
    from keras import losses, optimizers

    rate = optimizers.schedules.CosineDecay(
        LEARNING_RATE / 20, total_steps, warmup_target=LEARNING_RATE, warmup_steps=max(1, total_steps // 20)
    )
    network.compile(
        optimizers.AdamW(rate, weight_decay=0.01),
        loss={
            "intent": losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05),
            "slots": losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORED),
        },
        loss_weights={"intent": 1.0, "slots": SLOT_WEIGHT},
        jit_compile=False,  # XLA would compile anew for each length
    )


def _progress(bar: Any) -> Any:
    import keras

    class Progress(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            bar.update()
            if batch % 20 == 0 and logs:
                bar.set_postfix(loss=f"{logs['loss']:.3f}")

    return Progress()


def export(network: Any, tokenizer: Tokenizer, output: Path) -> None:
    """Writes the SavedModel, the Keras file and the vocabulary. The SavedModel is written beside the old one first and
    then takes its place, so that a server that watches the folder never sees half of one."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]     # Keras' own export stores each one twice
    tokens = tf.TensorSpec([None, LENGTH], tf.int32, name="tokens")
    serve = tf.function(lambda tokens: network(tokens, training=False), input_signature=[tokens])
    output.mkdir(parents=True, exist_ok=True)
    new, place = output / "new", output / "intent" / "1"
    tf.saved_model.save(module, str(new), signatures={"serving_default": serve})
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    os.replace(new, place)
    network.save(output / "intent.keras")
    (output / "vocabulary.txt").write_text("\n".join(tokenizer.words) + "\n", encoding="utf-8")


def saved_model(output: Path) -> Predict:
    """The exported model as a function of an array of tokens."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(output / "intent" / "1"))
    signature = loaded.signatures["serving_default"]

    def predict(tokens: np.ndarray, _alive: Any = loaded) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in signature(tokens=tf.constant(tokens)).items()}

    return predict


def report(scores: Scores) -> None:
    """Prints what the model card says in full."""
    print("\n" + confusion_table(scores.confusion))
    print("\nMost confused (meant, said, times):")
    print("\n".join(f"  {meant:17} {said:17} {n}" for meant, said, n in most_confused(scores.confusion)))
    print(f"\nTest set: {len(scores.utterances)} hand-written utterances")
    print(f"Intent accuracy: {scores.accuracy:.1%}\nSlot F1: {scores.slot_f1:.3f}")


if __name__ == "__main__":
    sys.exit(main())
