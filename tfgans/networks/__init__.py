"""Builders of networks: `(data: DataSpec, **options)` to a Functional Keras model."""
