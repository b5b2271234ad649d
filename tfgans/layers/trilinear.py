"""A convolution and its two gradients, each in the way that is quickest on a CPU.

A convolution of images x with a kernel k, read off by maps y, is one number that is linear in all
three: <x * k, y>. Its derivatives by y, by x and by k are `convolve`, `spread` and `correlate`, and
the derivatives of these are again the other two, however often one derives. All pad to the `same`
size. Where a GPU is at hand all are TensorFlow's own operations.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator

import tensorflow as tf

_FEW_CHANNELS = 4  # of images, for which oneDNN's transposed convolution is slow
_SMALL_MAPS = {"float32": 4, "bfloat16": 8}  # sides for which its gradient by the kernel is
_with_own_gradients = contextvars.ContextVar("with_own_gradients", default=True)


@contextlib.contextmanager
def gradients_of_tensorflow() -> Iterator[None]:
    """Scope in which what is traced has TensorFlow's own gradients, as a SavedModel should."""
    token = _with_own_gradients.set(False)
    try:
        yield
    finally:
        _with_own_gradients.reset(token)


def convolve(images, kernel, stride=1):
    """Returns the maps that a kernel finds in images: a convolution with `same` padding.

    Args:
        images: `(batch, height, width, in)`.
        kernel: `(rows, columns, in, out)`.
        stride: Pixels from one window to the next.
    """
    size = images.shape[1:3]
    if not _with_own_gradients.get():
        return tf.nn.conv2d(images, kernel, stride, "SAME")

    @tf.custom_gradient
    def forward(images, kernel):
        def gradient(maps):
            by_kernel = correlate(images, maps, kernel.shape[:2], stride)
            return spread(maps, kernel, stride, size), by_kernel

        return tf.nn.conv2d(images, kernel, stride, "SAME"), gradient

    return forward(images, kernel)


def spread(maps, kernel, stride, size):
    """Returns images in which each pixel of the maps has left its kernel: the transposed one.

    Args:
        maps: `(batch, ceil(height / stride), ceil(width / stride), out)`.
        kernel: `(rows, columns, in, out)`.
        stride: Pixels from one kernel to the next.
        size: `(height, width)` of the images.
    """
    if not _with_own_gradients.get():
        return _spread(maps, kernel, stride, size)

    @tf.custom_gradient
    def forward(maps, kernel):
        def gradient(images):
            by_kernel = correlate(images, maps, kernel.shape[:2], stride)
            return convolve(images, kernel, stride), by_kernel

        return _spread(maps, kernel, stride, size), gradient

    return forward(maps, kernel)


def correlate(images, maps, kernel_size, stride):
    """Returns the kernel that has most of the images at the places of the maps.

    Args:
        images: `(batch, height, width, in)`.
        maps: `(batch, ceil(height / stride), ceil(width / stride), out)`.
        kernel_size: `(rows, columns)`.
        stride: Pixels from one window to the next.
    """

    @tf.custom_gradient
    def forward(images, maps):
        def gradient(kernel):
            by_images = spread(maps, kernel, stride, images.shape[1:3])
            return by_images, convolve(images, kernel, stride)

        small = max(maps.shape[1:3]) <= _SMALL_MAPS.get(images.dtype.name, 0)
        if small and min(images.shape[-1], maps.shape[-1]) > _FEW_CHANNELS and _on_cpu():
            return _correlate_as_convolution(images, maps, kernel_size, stride), gradient
        kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=images,
            filter_sizes=(*kernel_size, images.shape[-1], maps.shape[-1]),
            out_backprop=maps,
            strides=(1, stride, stride, 1),
            padding="SAME",
        )
        return kernel, gradient

    return forward(images, maps)


def _spread(maps, kernel, stride, size):
    few = kernel.shape[2] <= _FEW_CHANNELS and kernel.shape[:2] == (4, 4) and stride == 2
    if few and _even(size) and _on_cpu():
        return _spread_as_subpixels(maps, kernel, size)
    shape = (tf.shape(maps)[0], *size, kernel.shape[2])
    images = tf.nn.conv2d_transpose(maps, kernel, shape, stride, "SAME")
    return tf.ensure_shape(images, (maps.shape[0], *size, kernel.shape[2]))


def _spread_as_subpixels(maps, kernel, size):
    """A kernel of 4x4 and stride 2 is one of 2x2 that gives 2x2 pixels, moved by one, at once."""
    channels, count = kernel.shape[2:]
    halves = tf.reverse(tf.reshape(kernel, (2, 2, 2, 2, channels, count)), (0, 2))
    small = tf.reshape(tf.transpose(halves, (0, 2, 5, 1, 3, 4)), (2, 2, count, 4 * channels))
    pixels = tf.nn.conv2d(maps, small, 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.depth_to_space(pixels, 2)[:, 1 : size[0] + 1, 1 : size[1] + 1]


def _correlate_as_convolution(images, maps, kernel_size, stride):
    """The maps are the kernel, `stride` pixels apart, and the batch is what is summed over."""
    sides = zip(images.shape[1:3], maps.shape[1:3], kernel_size, strict=True)
    padding = [max(0, (many - 1) * stride + own - side) for side, many, own in sides]
    rows, columns = ([total // 2, total - total // 2] for total in padding)
    found = tf.nn.conv2d(
        tf.transpose(images, (3, 1, 2, 0)),
        tf.transpose(maps, (1, 2, 0, 3)),
        1,
        [[0, 0], rows, columns, [0, 0]],
        dilations=stride,
    )
    return tf.transpose(found[:, : kernel_size[0], : kernel_size[1]], (1, 2, 0, 3))


def _even(size):
    return all(side % 2 == 0 for side in size)


@functools.cache
def _on_cpu():
    return not tf.config.list_physical_devices("GPU")
