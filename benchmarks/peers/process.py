"""Contenders in processes of their own, asked in turn; and the machine that they run on."""

import contextlib
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys

from peers import child

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent
RESULTS = BENCHMARKS.parent / "docs" / "results"
DOCUMENT = BENCHMARKS.parent / "docs" / "performance.md"
THREAD_LIMITS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class ContenderError(Exception):
    """A contender could not do what it was asked."""


class Child:
    """A process with one contender.

    Args:
        contender: Key of `child.CONTENDERS` or `child.SAMPLERS`.
        workload: Key of `workloads.WORKLOADS`.
        folder: Where its pictures and weights are.
        options: With `torch_python` and `tiny`.
    """

    def __init__(self, contender, workload, folder, options):
        job = {"contender": contender, "workload": workload, "folder": folder}
        python = options.torch_python if contender.startswith("pytorch") else sys.executable
        self.process = subprocess.Popen(
            [python, "-m", "peers.child", json.dumps({**job, "tiny": options.tiny})],
            cwd=BENCHMARKS,
            env={
                "TF_CPP_MIN_LOG_LEVEL": "2",
                **os.environ,
                **child.ENVIRONMENT.get(contender, {}),
                "KERAS_BACKEND": "tensorflow",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.waiting_cpu_s = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, do, **arguments):
        """Returns what the contender's method `do` returns.

        Raises:
            ContenderError: If it failed, or has before.
        """
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the process has ended"}')
        if "error" in answer:
            raise ContenderError(answer["error"])
        self.waiting_cpu_s += answer["waiting_cpu_s"]
        return answer["answer"]


def in_turns(processes, questions):
    """Asks all processes each of the questions in turn; returns answers and errors by name."""
    answers, errors = {one: [] for one in processes}, {}
    for question in questions:
        for one, process in processes.items():
            try:
                if one not in errors:
                    answers[one].append(process.ask(**question))
            except ContenderError as error:
                errors[one] = {"error": str(error)}
    return answers, errors


def over_workloads(script, options, names, told, play, table):
    """Plays the workloads asked for, and writes each result at once beside those of the others.

    Args:
        script: Name of the file, `.py` included; its results are of the same name. Those in
            another file have a table of their own, if the document has a place for it.
        options: With `workloads`, `out` and `tiny`.
        names: All workloads, in the order of the results.
        told: What the result says besides.
        play: From a name to what is known of it; where that is not `equal`, the exit code is 1.
        table: From the result to the table of the document.
    """
    result = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    found = result.get("workloads", {})
    place = script if options.out == results_of(script) else f"{script} --out={options.out}"
    for name in options.workloads:
        found[name] = {**found.get(name, {}), **play(name)}
        kept = {key: found[key] for key in names if key in found}
        result = {"command": f"python benchmarks/{place}", **told, "workloads": kept}
        write(options.out, result)
    if marks(place)[0] in DOCUMENT.read_text("utf-8") and not options.tiny:
        publish(place, table(result))
    unequal = [name for name in options.workloads if not found[name].get("equal", True)]
    sys.exit(f"not all contenders did the same: {', '.join(unequal)}" if unequal else 0)


def tell_ratios(rows, peers):
    """Adds to each row of figures the ratio of its median to that of the fastest of some."""
    medians = [rows[one]["median_s"] for one in peers if "error" not in rows[one]]
    for row in rows.values():
        if medians and "error" not in row:
            row["to_fastest_peer"] = row["median_s"] / min(medians)


def peak_mb(who=resource.RUSAGE_SELF):
    """Returns the peak of memory of this process so far, or of the largest of its children.

    Linux counts in kB, macOS in bytes.
    """
    peak = resource.getrusage(who).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def machine():
    """Returns the processor's name, and whether it multiplies bfloat16 in hardware."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    flags = facts.get("flags", "").split()
    has = {flag: flag in flags for flag in ("amx_bf16", "avx512_bf16", "avx512f")}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = {key: os.environ[key] for key in THREAD_LIMITS if key in os.environ}
    name = facts.get("model name", platform.processor())
    return {"cpu": name, "cores": cores, **has, "limits": limits}


def results_of(script):
    """Returns where the results of a script are kept."""
    return RESULTS / f"{pathlib.Path(script).stem}.json"


def write(path, result):
    """Writes a result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def publish(script, table):
    """Puts the table of a script into docs/performance.md."""
    DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8"), script, table), encoding="utf-8")


def with_table(text, script, table):
    """Returns the document with the table between the marks of a script."""
    begin, end = marks(script)
    before, rest = text.split(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.split(end, 1)[1]}"


def marks(script):
    """Returns the lines of a document between which the table of a script stands."""
    return f"<!-- benchmarks/{script} -->", "<!-- end -->"


def table_of_contenders(rows_by_workload, head, cells):
    """Returns a line for each workload and contender: the cells of its row, or its error."""
    lines = []
    for name, rows in rows_by_workload.items():
        for contender, row in rows.items():
            if "error" in row:
                told = [row["error"], *[""] * len(head)]
            else:
                ratio = row.get("to_fastest_peer")
                told = [*cells(row), f"{ratio:.2f}" if ratio else ""]
            lines.append((f"`{name}`", f"`{contender}`", *told))
    return rows_of(("workload", "contender", *head, "to fastest peer"), lines)


def rows_of(head, rows):
    """Returns a Markdown table; every column after the first two is of numbers."""
    rule = "|".join(["---"] * 2 + ["---:"] * (len(head) - 2))
    lines = [" | ".join(map(str, cells)) for cells in (head, *rows)]
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])
