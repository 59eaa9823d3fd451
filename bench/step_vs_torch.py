"""A training step of assay's beside PyTorch's: by turns, on the same cores, several rounds.

    python3 bench/step_vs_torch.py --python VENV/bin/python --cores 0 [CASE...]

CASE is model:batch:precision[:size], such as resnet9:128:bf16 or resnet18:8:bf16:224;
without one, all that issue 4 names. Each round runs PyTorch eager, PyTorch compiled, assay,
and where --own is given assay with oneDNN's kernels only (ASSAY_KERNELS=onednn), pinned with
taskset. Compared are medians of processor time per step (wall time with --wall); the ratio
of a round is the better PyTorch's over assay's; printed are the rounds' median and, as the
interval, their least and greatest. --json FILE keeps every round."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CASES = ("resnet9:128:bf16 resnet9:512:bf16 resnet9:128:f32 resnet9:512:f32 "
         "resnet18:128:bf16 resnet18:16:bf16:224 mlp:32:f32 cnn:32:f32 cnn:128:f32 "
         "gpt-tiny:16:f32 gpt-tiny:16:bf16").split()


def options():
    p = argparse.ArgumentParser()
    p.add_argument("case", nargs="*", default=CASES)
    p.add_argument("--python", default="python3", help="one that has PyTorch")
    p.add_argument("--assay", default=str(HERE.parent / "build/release/assay"))
    p.add_argument("--cores", default="0", help="as of taskset -c; their number is -j")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=4)
    p.add_argument("--eager-only", action="store_true")
    p.add_argument("--own", action="store_true")
    p.add_argument("--wall", action="store_true")
    p.add_argument("--json")
    return p.parse_args()


def cores(text):
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def run(o, command, **environment):
    done = subprocess.run(["taskset", "-c", o.cores, *command], cwd=HERE, check=True,
                          env={**os.environ, **environment}, capture_output=True, text=True)
    return json.loads(done.stdout)["ms_per_step" if o.wall else "cpu_ms_per_step"]


def measure(o, case):
    model, batch, precision, size = (case.split(":") + ["0"])[:4]
    step = ["--model", model, "--batch", batch, "--precision", precision, "--size", size,
            "--seconds", str(o.seconds), "-j", str(cores(o.cores))]
    rounds = []
    for _ in range(o.rounds):
        row = {"eager": run(o, [o.python, "torch_step.py", *step])}
        if not o.eager_only:
            row["compile"] = run(o, [o.python, "torch_step.py", *step, "--mode", "compile"])
        row["assay"] = run(o, [o.assay, "bench", "step", *step, "--json"])
        if o.own:
            row["onednn"] = run(o, [o.assay, "bench", "step", *step, "--json"],
                                ASSAY_KERNELS="onednn")
        rounds.append(row)
    return rounds


def spread(values):
    return f"{statistics.median(values):6.2f} ({min(values):.2f}-{max(values):.2f})"


def main():
    o = options()
    kept = {}
    print(f"{'wall' if o.wall else 'processor'} ms per step, cores {o.cores}, {o.rounds} rounds")
    print(f"{'case':24} {'eager':>9} {'compile':>9} {'assay':>9}  PyTorch/assay"
          + ("       oneDNN only/assay" if o.own else ""))
    for case in o.case:
        rounds = kept[case] = measure(o, case)
        middle = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
        ratio = spread([min(r["eager"], r.get("compile", r["eager"])) / r["assay"]
                        for r in rounds])
        own = spread([r["onednn"] / r["assay"] for r in rounds]) if o.own else ""
        print(f"{case:24} {middle['eager']:9.3f} {middle.get('compile', 0):9.3f} "
              f"{middle['assay']:9.3f}  {ratio}  {own}", flush=True)
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(kept, indent=1) + "\n")


main()
