"""Trains `digits_cnn`, the classifier whose features judge generated digits.

    python -m tfgans.features.digits_cnn

Four convolutions, batch normalisation, 64 features, ten classes; trained on the 4,000 packaged
training digits, turned, moved, scaled and sheared a little. Writes `digits_cnn.keras` and what it
reached on the 1,000 held-out ones, `digits_cnn.json`, beside this file.
"""

import json
from pathlib import Path

import keras
import numpy as np

from tfgans import data

SEED = 0
EPOCHS = 80
BATCH = 100
CLASSES = 10
OUT = Path(__file__).with_name("digits_cnn.keras")


def build() -> tuple[keras.Model, keras.Model]:
    """Returns the network with two outputs that is kept, and the one that trains its logits."""
    layers = keras.layers
    image = keras.Input((28, 28, 1), name="image")
    maps = image
    for level, width in enumerate((24, 32, 48, 64)):
        maps = layers.Conv2D(width, 3, padding="same", use_bias=False)(maps)
        maps = layers.ReLU()(layers.BatchNormalization()(maps))
        if level < 3:
            maps = layers.MaxPooling2D()(maps)
    features = layers.GlobalAveragePooling2D(name="features")(maps)
    logits = layers.Dense(CLASSES, name="logits")(layers.Dropout(0.3)(features))
    kept = keras.Model(image, {"features": features, "logits": logits}, name="digits_cnn")
    raw = keras.Input((28, 28, 1))
    moved = raw
    for change in (
        layers.RandomRotation(0.04, fill_mode="constant", fill_value=-1.0),
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant", fill_value=-1.0),
        layers.RandomZoom((-0.12, 0.12), fill_mode="constant", fill_value=-1.0),
        layers.RandomShear(0.2, 0.0, fill_mode="constant", fill_value=-1.0),
    ):
        moved = change(moved)
    return kept, keras.Model(raw, kept(moved)["logits"])


def main() -> None:
    """Trains, measures and writes."""
    keras.utils.set_random_seed(SEED)
    sets = {}
    for split in data.SPLITS:
        source = data.open_source("digits", split=split)
        sets[split] = (source.images().astype(np.float32) / 127.5 - 1.0, source.labels)
    kept, trained = build()
    steps = EPOCHS * len(sets["train"][0]) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss)
    trained.fit(*sets["train"], batch_size=BATCH, epochs=EPOCHS, verbose=2)
    accuracy = {
        split: float((kept.predict(images, verbose=0)["logits"].argmax(1) == labels).mean())
        for split, (images, labels) in sets.items()
    }
    kept.save(OUT)
    facts = {
        "command": "python -m tfgans.features.digits_cnn",
        "test_accuracy": round(accuracy["test"], 4),
        "train_accuracy": round(accuracy["train"], 4),
        "parameters": kept.count_params(),
        "seed": SEED,
        "epochs": EPOCHS,
    }
    OUT.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
