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


def made(contender, workload, folder, tiny):
    module, name, arguments = (CONTENDERS | SAMPLERS)[contender]
    game = workloads.WORKLOADS[workload]
    cls = getattr(importlib.import_module(f"peers.{module}"), name)
    return cls(game.tiny() if tiny else game, folder, **arguments)


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
