"""A process with one contender, which does what each line of its standard input asks for.

    python -m peers.child '{"contender": "ours", "workload": "mlp_gan", "folder": "", "tiny": true}'

Lines are JSON, such as {"do": "timed", "count": 5}, and so are the answers.
"""

import importlib
import json
import os
import sys
import time
import traceback

from peers import workloads

CONTENDERS = {  # name -> (module, class, its arguments)
    "ours": ("ours", "Ours", {}),
    "ours_fit": ("ours", "OursFit", {}),
    "plain_keras": ("plain_keras", "PlainKeras", {}),
    "pytorch": ("pytorch", "PyTorch", {}),
    "pytorch_compile": ("pytorch", "PyTorch", {"compiled": True}),
    "ours_bfloat16": ("ours", "Ours", {"precision": "mixed_bfloat16"}),
    "pytorch_bfloat16": ("pytorch", "PyTorch", {"bfloat16": True}),
}
SAMPLERS = {
    "saved_model": ("saved_model", "SavedModel", {}),
    "predict": ("plain_keras", "Predict", {}),
    "pytorch_sampler": ("pytorch", "Sampler", {}),
    "pytorch_compile_sampler": ("pytorch", "Sampler", {"compiled": True}),
    "saved_model_bfloat16": ("saved_model", "SavedModel", {"precision": "mixed_bfloat16"}),
    "pytorch_bfloat16_sampler": ("pytorch", "Sampler", {"bfloat16": True}),
}
CHANGES = {  # name of a function of peers.ablations -> what it does
    "adam_of_keras": "Keras' Adam, a dozen operations for each variable",
    "batch_norm_of_keras": "Keras' batch normalisation, a dozen passes over the maps",
    "gradients_of_tensorflow": "the convolutions' gradients as TensorFlow takes them",
    "leaky_relu_of_keras": "the second derivative of LeakyReLU computed, which is zero",
    "resampling_by_itself": "means and doublings as layers beside the convolutions",
    "sigma_divides_the_input": "sigma divides the input of a layer instead of its kernel",
    "all_of_these": "all of the above",
    "xla": "not used: XLA",
    "one_operation_at_a_time": "not used: TF_NUM_INTEROP_THREADS=1",
    "without_onednn": "not used: TF_ENABLE_ONEDNN_OPTS=0",
    "with_remapper": "not used: TensorFlow's remapper on",
}
ENVIRONMENT = {
    "one_operation_at_a_time": {"TF_NUM_INTEROP_THREADS": "1"},
    "without_onednn": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}
ABLATIONS = {name: ("ablations", "Ablated", {"change": name}) for name in CHANGES}
KNOWN = CONTENDERS | SAMPLERS | ABLATIONS


def made(contender, workload, folder, tiny):
    module, name, arguments = KNOWN[contender]
    cls = getattr(importlib.import_module(f"peers.{module}"), name)
    return cls(workloads.game(workload, tiny), folder, **arguments)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        contender = made(**json.loads(sys.argv[1]))
        rested = time.process_time()
        for line in sys.stdin:
            waiting = time.process_time() - rested
            request = json.loads(line)
            answer = getattr(contender, request.pop("do"))(**request)
            told = {"answer": answer, "waiting_cpu_s": waiting}
            print(json.dumps(told), file=answers, flush=True)
            rested = time.process_time()
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(json.dumps({"error": reason[:300]}), file=answers, flush=True)


if __name__ == "__main__":
    main()
