"""The contenders of `train_steps.py`: one game each, played by tfgans, plain Keras and PyTorch."""
