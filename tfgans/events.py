"""TensorBoard event files, written by hand for the sake of resumed runs."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


class Events:
    """Writes a TensorBoard event file; the steps after a restored one are dropped.

    `tf.summary` has no `purge_step`: the `SessionLog` that tells TensorBoard to forget what comes
    after is written here by hand, and then the rest may as well be, in one file.

    Args:
        directory: Folder of the event files; each start of a run adds one.
        start_step: Step that was restored, 0 for a new run.
    """

    def __init__(self, directory: str | Path, start_step: int = 0):
        self.directory, self.start_step = Path(directory), start_step
        self.forgets = True  # what an earlier start wrote of later steps
        self._writer: tf.io.TFRecordWriter | None = None

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers by tag."""
        value = tf.compat.v1.Summary.Value
        self._add(step, [value(tag=tag, simple_value=number) for tag, number in values.items()])

    def image(self, step: int, tag: str, picture: np.ndarray, png: bytes) -> None:
        """Adds a uint8 `(height, width, channels)` picture, given as PNG too."""
        height, width, channels = picture.shape
        image = tf.compat.v1.Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=png
        )
        self._add(step, [tf.compat.v1.Summary.Value(tag=tag, image=image)])

    def text(self, step: int, tag: str, markdown: str) -> None:
        """Adds a text that TensorBoard renders as Markdown."""
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "text"
        tensor = tf.make_tensor_proto(markdown, dtype=tf.string)
        self._add(step, [tf.compat.v1.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])

    def close(self) -> None:
        """Closes the file; whatever is added later opens another one. Each addition is flushed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, step: int, values: list) -> None:
        if self._writer is None:
            self._writer = self._open()
        self._writer.write(_event(step=step, summary=tf.compat.v1.Summary(value=values)))
        self._writer.flush()

    def _open(self) -> tf.io.TFRecordWriter:
        self.directory.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files in the order of their names.
        number = len(list(self.directory.glob("*tfevents*")))
        name = f"events.out.tfevents.{int(time.time()):010d}.{number:04d}"
        writer = tf.io.TFRecordWriter(str(self.directory / name))
        writer.write(_event(file_version="brain.Event:2"))
        if self.forgets and number:
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            writer.write(_event(step=self.start_step + 1, session_log=start))
            self.forgets = False  # once
        return writer


def _event(**fields: Any) -> bytes:
    return tf.compat.v1.Event(wall_time=time.time(), **fields).SerializeToString()
