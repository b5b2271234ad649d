"""How models are written to Keras' files and read back: their arguments, networks, optimisers."""

import inspect
from typing import Any, ClassVar

import keras


class SerializableModel(keras.Model):
    """What `keras.Model.save` and `keras.saving.load_model` want of a model."""

    optimizes: ClassVar[dict[str, tuple[str, ...]]]
    players: tuple[str, ...]

    def get_config(self):
        """Returns every constructor argument, read from the attribute of its name."""
        arguments: dict[str, Any] = {}
        own = type(self).__mro__[: type(self).__mro__.index(keras.Model)]
        for constructor in (vars(cls)["__init__"] for cls in own if "__init__" in vars(cls)):
            for parameter in inspect.signature(constructor).parameters.values():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    arguments[parameter.name] = getattr(self, parameter.name, None)
        del arguments["self"], arguments["players"]
        for player in self.players:
            arguments[player] = keras.saving.serialize_keras_object(arguments[player])
        return {**arguments, "name": self.name, "dtype": self.dtype_policy.name}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model from `get_config`."""
        return cls(
            **{
                key: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for key, value in config.items()
            }
        )

    def get_compile_config(self):
        """Returns what `compile` was given."""
        optimizers = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.optimizes
        }
        return {"jit_compile": self.jit_compile, "accumulate": self.accumulate, **optimizers}

    def compile_from_config(self, config):
        """Compiles again from `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
