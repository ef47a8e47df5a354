"""How a peer talks to the benchmark harness: one JSON command per line, one JSON line in answer.

  {"run": name, "threads": n}  -> {"ms": elapsed}          one run of a prepared method
  anything else                -> what `prepare` answers, and {"methods": [names]}
"""
import json
import sys
import time

import torch


def serve(prepare):
    """Answers commands until there are no more; `prepare` maps a command to (methods by name, answer)."""
    methods = {}
    for line in sys.stdin:
        command = json.loads(line)
        if "run" in command:
            if torch.get_num_threads() != command["threads"]:
                torch.set_num_threads(command["threads"])
            start = time.perf_counter()
            methods[command["run"]]()
            answer = {"ms": (time.perf_counter() - start) * 1000}
        else:
            # What was prepared before goes first, so that two large problems are never held at once.
            methods = {}
            methods, answer = prepare(command)
            answer = {**answer, "methods": list(methods), "torch": torch.__version__}
        print(json.dumps(answer), flush=True)
