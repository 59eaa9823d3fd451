"""Does training in bf16 lose anything against f32? The same recipes in both, five seeds each.

    python3 bench/precision_study.py --shared SHARED -j 2 [STUDY...]

STUDY is fashion (Fashion-MNIST, the zoo's cnn: test accuracy), cifar (10,000 images of
CIFAR-10, --cifar-model: test accuracy), text (tiny-shakespeare, gpt-tiny: loss on the last
tenth). Printed are mean and standard deviation over the seeds, the difference of the means,
and that difference in units of its own standard error; a run of a seed uses one core, -j of
them go at once. --scale shortens everything (0.1: a tenth of the epochs and steps)."""
import argparse
import concurrent.futures
import json
import lzma
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent / "build/release"


def options():
    p = argparse.ArgumentParser()
    p.add_argument("study", nargs="*", default=["fashion", "cifar", "text"])
    p.add_argument("--shared", default=str(HERE.parents[1] / "shared"))
    p.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist")
    p.add_argument("--cifar-model", default="cnn")
    p.add_argument("--cifar-epochs", type=int, default=10)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--scale", type=float, default=1.0)
    p.add_argument("-j", dest="jobs", type=int, default=2)
    p.add_argument("--json")
    return p.parse_args()


def told(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout)


def packed(source, work):
    target = work / "data.beton"
    told([BUILD / "assay", "pack", source, target, "--json"])
    return target


def cifar(o, work):
    """The two batches, unpacked as CIFAR's own files."""
    folder = work / "cifar"
    folder.mkdir()
    for name in ("data_batch_1.bin", "test_batch.bin"):
        raw = (pathlib.Path(o.shared) / "data/cifar10" / (name + ".xz")).read_bytes()
        (folder / name).write_bytes(lzma.decompress(raw))
    names = pathlib.Path(o.shared) / "data/cifar10/batches.meta.txt"
    (folder / names.name).write_bytes(names.read_bytes())
    return packed(folder, work)


def train(data, model, epochs, work, extra=()):
    def one(precision, seed):
        return told([BUILD / "assay", "train", data, "-o", work / f"{precision}-{seed}",
                     "--model", model, "--epochs", epochs, "--seed", seed, "-j", 1,
                     "--precision", precision, "--json", *extra])
    return one


def study(o, name, work):
    """What runs one seed, which member of its answer counts, and in which units."""
    if name == "fashion":
        data = packed(o.fashion, work)
        return train(data, "cnn", max(1, round(2 * o.scale)), work), "accuracy", 100
    if name == "cifar":
        epochs = max(1, round(o.cifar_epochs * o.scale))
        return train(cifar(o, work), o.cifar_model, epochs, work), "accuracy", 100
    text = pathlib.Path(o.shared) / "data/text/tinyshakespeare.txt"
    steps = max(10, round(200 * o.scale))
    return (lambda precision, seed: told([BUILD / "bench/text", text, f"steps={steps}",
                                          f"seed={seed}", f"precision={precision}"]),
            "loss", 1)


def run(o, name):
    with tempfile.TemporaryDirectory() as folder:
        one, member, unit = study(o, name, pathlib.Path(folder))
        with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
            answers = {(p, s): pool.submit(one, p, s)
                       for s in range(1, o.seeds + 1) for p in ("f32", "bf16")}
            kept = {p: [answers[p, s].result() for s in range(1, o.seeds + 1)]
                    for p in ("f32", "bf16")}
    values = {p: [unit * a[member] for a in kept[p]] for p in kept}
    means = {p: statistics.mean(v) for p, v in values.items()}
    spread = {p: statistics.stdev(v) if len(v) > 1 else 0 for p, v in values.items()}
    error = ((spread["f32"] ** 2 + spread["bf16"] ** 2) / o.seeds) ** 0.5
    apart = means["bf16"] - means["f32"]
    cpu = {p: statistics.median(a["cpu_seconds"] for a in kept[p]) for p in kept}
    print(f"{name:8} {member}: f32 {means['f32']:.4f} +- {spread['f32']:.4f}, "
          f"bf16 {means['bf16']:.4f} +- {spread['bf16']:.4f}, difference {apart:+.4f} "
          f"({apart / error if error else 0:+.1f} standard errors); processor seconds "
          f"{cpu['f32']:.1f} and {cpu['bf16']:.1f}", flush=True)
    return {"values": values, "cpu_seconds": cpu}


def main():
    o = options()
    kept = {name: run(o, name) for name in o.study}
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(kept, indent=1) + "\n")


main()
