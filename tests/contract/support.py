"""What the checks of the contract stand on: a row under test, spies, a process without Keras."""

import collections
import contextlib
import functools
import graphlib
import itertools
import json
import re
import subprocess
import sys

import numpy as np
import plain_tensorflow
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.grappler import tf_optimizer

import tfgans
from tfgans import registry

SIZE = 8
BATCH = 4
CLASSES = 3
SEEDS = "seed_generator_state"
STATISTICS = ("moving_mean", "moving_variance", SEEDS)


class Subject:
    """A row under test at its tiny size; its model is built and traced once, and reset at will.

    Args:
        row: The `Variant`.
        needs: Batch keys that the row declares; its batches hold just these.
    """

    def __init__(self, row, needs=("image",)):
        self.row, self.needs = row, needs
        self.options = {key: value for key, value in row.tiny.items() if key != "image_size"}
        self.size = row.tiny.get("image_size", SIZE)
        self.data = tfgans.DataSpec((self.size, self.size, 1), CLASSES if "label" in needs else 0)

    def create(self, *, seed=0, steps=None, **options):
        """A fresh model."""
        options = {**self.options, **options}
        return tfgans.create(self.row, self.data, seed=seed, steps=steps, **options)

    @functools.cached_property
    def model(self):
        """The model that the checks share; ask for it by `reset`."""
        model = self.create()
        self.start = snapshot(model)
        return model

    @functools.cached_property
    def critical(self):
        """One with two critic steps, where it has any, and rates that fall to 0 in four steps."""
        options = {f"{name}.schedule": "linear" for name in self.row.optimizers}
        if "n_critic" in self.row.defaults():
            options["n_critic"] = 2
        model = self.create(steps=4, **options)
        self.critical_start = snapshot(model)
        return model

    def reset(self):
        """The model as it was when new."""
        model = self.model
        return assign(model, self.start)

    def reset_critical(self):
        """The other as it was when new."""
        model = self.critical
        return assign(model, self.critical_start)

    def batch(self, step, model=None):
        """The data of a step: the keys that the row needs and no others."""
        rows = BATCH * (model or self.model).batches_per_step
        shapes = {"image": (rows, self.size, self.size, 1), "label": (rows,)}
        drawn = {
            "image": lambda: tf.random.stateless_uniform(shapes["image"], (step, 0), -1.0, 1.0),
            "label": lambda: tf.random.stateless_uniform((rows,), (step, 1), 0, CLASSES, tf.int32),
        }
        return {key: drawn[key]() for key in self.needs}

    def fit(self, model, steps):
        """Trains in Keras' own loop, on the data that follow the steps done; returns the logs."""
        first = int(model.step)
        batches = [self.batch(step, model) for step in range(first, first + steps)]
        rows = {key: tf.stack([batch[key] for batch in batches]) for key in self.needs}
        history = model.fit(tf.data.Dataset.from_tensor_slices(rows), verbose=0).history
        return {name: values[-1] for name, values in history.items()}

    def eager_steps(self, model, steps):
        """Trains in plain Python; returns the logs of the last step."""
        for _ in range(steps):
            logs = model.train_step(self.batch(int(model.step), model))
        return logs

    @functools.cached_property
    def trained(self):
        """Snapshots after one and after three steps of a traced `fit`, and the logs of each."""
        model = self.reset()
        logs = self.fit(model, 1)
        after_one = snapshot(model)
        return {"logs": [logs, self.fit(model, 2)], 1: after_one, 3: snapshot(model)}

    def after_three_steps(self):
        """The model in the state after three traced steps."""
        return assign(self.model, self.trained[3])


def assign(model, state):
    """Puts a model into the state of a snapshot, its logs begun anew."""
    for name, variable in model.state().items():
        variable.assign(state[name])
    model.reset_metrics()
    return model


def snapshot(model):
    """A copy of the model's state, by name."""
    return {name: variable.numpy() for name, variable in model.state().items()}


@functools.lru_cache(maxsize=2)
def subject_of(name):
    """The subject of a row of the registry, or of a user's own file."""
    return Subject(registry.load(name), registry.needs(name))


@contextlib.contextmanager
def refused(message):
    """Fails unless what is done inside is refused with such a message."""
    said = "nothing"
    try:
        yield
    except tfgans.UsageError as error:
        said = str(error)
    assert re.search(message, said), f"not refused with {message}, says {said}"


class _Calls(list):
    """Calls of a method: what `on_call` returned before, the arguments, and the result."""

    on_call = staticmethod(lambda: None)


@contextlib.contextmanager
def spying(model, method):
    """Notes the calls of a method of `model`."""
    calls, original = _Calls(), getattr(model, method)

    def spy(*arguments, **named):
        call = {"before": calls.on_call(), "arguments": arguments}
        calls.append(call)
        call["result"] = original(*arguments, **named)
        return call["result"]

    object.__setattr__(model, method, spy)
    try:
        yield calls
    finally:
        object.__delattr__(model, method)


def _owned(model):
    """Every variable of players, average and optimisers, by a name that says whose it is."""
    owners = {name: getattr(model, name) for name in (*model.players, *model.optimizes)}
    if model.average is not None:
        owners["average"] = model.average
    named = [(f"{name}/{v.path}", v) for name, keeper in owners.items() for v in keeper.variables]
    assert len(dict(named)) == len(named), "two variables have one name"
    return dict(named)


def values(model):
    """A copy of what `_owned` names."""
    return {name: variable.numpy() for name, variable in _owned(model).items()}


def changed(before, after):
    """Names of the values that differ."""
    return {name for name in before if not np.array_equal(before[name], after[name])}


def may_move(model, optimizer):
    """Names of what a step of `optimizer` may change: its players, and statistics of all."""
    allowed = set()
    for name, variable in _owned(model).items():
        owner = name.split("/")[0]
        if owner in (*model.optimizes[optimizer], optimizer) or (
            owner in model.players and variable.path.split("/")[-1] in STATISTICS
        ):
            allowed.add(name)
    return allowed


class _Process:
    """A Python process that cannot import `tfgans` and keras, and checks exports in it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, plain_tensorflow.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, folder):
        """Has an export checked; returns what is wrong, or None."""
        print(folder, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        close_process()
        return "the process that checks exports has failed, see its stderr"

    def close(self):
        """Ends the process."""
        self.process.communicate()


@functools.cache
def plain_process():
    """The one such process of this test process."""
    return _Process()


def close_process():
    """Ends it, if it was started."""
    if plain_process.cache_info().currsize:
        plain_process().close()
        plain_process.cache_clear()


def optimized(function, *arguments):
    """Returns the nodes, by name, of a function's graph as TensorFlow's optimizers leave it."""
    graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph
    meta = tf.compat.v1.train.export_meta_graph(graph=graph, graph_def=graph.as_graph_def())
    kept = [tensor.op for tensor in (*graph.inputs, *graph.outputs)] + list(graph.control_outputs)
    names = dict.fromkeys(operation.name for operation in kept)
    meta.collection_def["train_op"].node_list.value.extend(names)
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1  # optimize small graphs too
    return {node.name: node for node in tf_optimizer.OptimizeGraph(config, meta).node}


def without_order(nodes):
    """Returns the pairs of accesses to a variable, one a write, of which either may come first."""
    inputs = {
        name: [source.lstrip("^").split(":")[0] for source in node.input]
        for name, node in nodes.items()
    }
    before = {}
    for name in graphlib.TopologicalSorter(inputs).static_order():
        before[name] = set(inputs[name]).union(*(before[source] for source in inputs[name]))
    accesses = collections.defaultdict(list)
    for name, node in nodes.items():
        for source in inputs[name]:
            if nodes[source].attr["dtype"].type == types_pb2.DT_RESOURCE:
                accesses[source].append((name, node.op == "ReadVariableOp"))
    return [
        (one, other)
        for found in accesses.values()
        for (one, reads), (other, reads_too) in itertools.combinations(found, 2)
        if not ((reads and reads_too) or one in before[other] or other in before[one])
    ]
