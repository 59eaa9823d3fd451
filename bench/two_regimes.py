"""Two regimes of training (Leclerc and Madry 2020, arXiv 2002.10376), measured.

    python3 bench/two_regimes.py build/release/assay SHARED/data/cifar10 WORK [--epochs 30]

Six schedules, each with momentum 0 and .9 in its first phase, three seeds, equal epochs, on
10,000 images of CIFAR-10 with shifts and mirrors, a convolutional network with batch norm. Each
arm's highest rate (and the depth of the one drop) is chosen before, on 8,000 of the images and
the 2,000 others, by one seed and a third of the epochs. Then a ladder: constant rates with
rate / (1 - momentum) equal. Every run is a folder in WORK; what is finished is kept. The last
lines are the tables of docs/evidence/two-regimes.md."""
import argparse
import json
import lzma
import math
import pathlib
import subprocess

RECORD = 3073
COMMON = ("--model cnn --batch 128 --label-smoothing 0 --weight-decay 0.0005 --translate 2 "
          "--flip on").split()
EFFECTIVE = (0.2, 0.8, 3.2)  # rate / (1 - momentum), the grid of the search
DROPS = (0.1, 0.03)          # effective rate of small steps over that of large ones
SMALL_MOMENTUM = 0.9
T95 = 4.303                  # Student's t, two degrees of freedom


def short(x):
    return f"{x:.6g}"


def pace(effective, momentum):
    return ["--lr", short(effective * (1 - momentum)), "--momentum", short(momentum)]


def arm(name, momentum, effective, drop):
    """The options of an arm whose largest effective rate is given."""
    if name in ("cosine", "one-cycle", "linear"):
        return ["--schedule", name] + pace(effective, momentum)
    if name == "large only":
        return ["--schedule", "constant"] + pace(effective, momentum)
    if name == "small only":
        return ["--schedule", "constant"] + pace(effective * drop, momentum)
    rate = effective * (1 - momentum)
    small = effective * drop * (1 - SMALL_MOMENTUM)
    return ["--schedule", "two-regime", "--lr", short(rate), "--momentum",
            short(SMALL_MOMENTUM), "--large-momentum", short(momentum), "--small-steps",
            short(small / rate)]


class Study:
    def __init__(self, assay, cifar, work):
        self.assay, self.work = assay, pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        train, test = (lzma.open(pathlib.Path(cifar) / f"{n}.bin.xz").read()
                       for n in ("data_batch_1", "test_batch"))
        self.full = self.put("full", train, test)
        cut = 8000 * RECORD
        self.search = self.put("search", train[:cut], train[cut:])

    def put(self, name, train, test):
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        for part, raw in (("data_batch_1", train), ("test_batch", test)):
            path = folder / f"{part}.bin"
            if not path.exists() or path.stat().st_size != len(raw):
                path.write_bytes(raw)
        return str(folder)

    def run(self, data, seed, epochs, options):
        """(test accuracy in percent, training loss of the last epoch, processor seconds);
        None if it diverged."""
        key = "_".join([pathlib.Path(data).name, f"s{seed}", f"e{epochs}"] +
                       [o.lstrip("-") for o in options])
        kept = self.work / f"{key}.json"
        if kept.exists():
            return json.loads(kept.read_text())
        out = self.work / key
        done = subprocess.run(
            [self.assay, "train", data, "-o", str(out), "--seed", str(seed), "--epochs",
             str(epochs), "-j", "1", "-q", "--json", *COMMON, *options],
            capture_output=True, text=True, check=False)
        report = json.loads(done.stdout or "{}")
        result = None
        if done.returncode == 0:
            last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
            result = (100 * report["accuracy"], last["loss"], report["cpu_seconds"])
        elif "not finite" not in done.stdout + done.stderr:
            raise SystemExit(done.stdout + done.stderr)
        kept.write_text(json.dumps(result))
        print(key, result, flush=True)
        return result


ARMS = ("small only", "large only", "one drop", "cosine", "one-cycle", "linear")


def choose(study, epochs):
    """Rates of every arm; small only and large only take those of the one drop."""
    chosen = {}
    for momentum in (0, 0.9):
        for name in ("one drop", "cosine", "one-cycle", "linear"):
            tried = []
            for effective in EFFECTIVE:
                for drop in DROPS if name == "one drop" else (1,):
                    got = study.run(study.search, 100, max(1, epochs // 3),
                                    arm(name, momentum, effective, drop))
                    if got:
                        tried.append((got[0], effective, drop))
            chosen[name, momentum] = max(tried)[1:]
        for name in ("small only", "large only"):
            chosen[name, momentum] = chosen["one drop", momentum]
    return chosen


def mean_interval(values):
    n = len(values)
    mean = sum(values) / n
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    return mean, T95 * sd / math.sqrt(n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assay")
    parser.add_argument("cifar")
    parser.add_argument("work")
    parser.add_argument("--epochs", type=int, default=30)
    o = parser.parse_args()
    study = Study(o.assay, o.cifar, o.work)
    chosen = choose(study, o.epochs)
    table, seconds = {}, 0
    for seed in (1, 2, 3):  # seeds outermost: cut short, all arms have as many
        for name in ARMS:
            for momentum in (0, 0.9):
                got = study.run(study.full, seed, o.epochs,
                                arm(name, momentum, *chosen[name, momentum]))
                table.setdefault((name, momentum), []).append(got)
                seconds += got[2] if got else 0
    print("\n| schedule | momentum in phase one | largest rate / (1 - momentum) | test "
          "accuracy | training loss, last epoch |\n|---|---|---|---|---|")
    accuracy, loss = {}, {}
    for (name, momentum), got in table.items():
        effective, drop = chosen[name, momentum]
        rate = effective * drop if name == "small only" else effective
        if None in got:
            print(f"| {name} | {momentum} | {rate:g} | diverged | |")
            continue
        a, wide = mean_interval([g[0] for g in got])
        b, wide_b = mean_interval([g[1] for g in got])
        accuracy[name, momentum], loss[name, momentum] = (a, wide), (b, wide_b)
        more = f", then {effective * drop:g}" if name == "one drop" else ""
        print(f"| {name} | {momentum} | {rate:g}{more} | {a:.2f} +- {wide:.2f} | "
              f"{b:.4f} +- {wide_b:.4f} |")
    print()
    for momentum in (0, 0.9):
        a = {n: accuracy.get((n, momentum), (0, 0))[0] for n in ARMS}
        lower = loss[("small only", momentum)][0] <= loss[("one drop", momentum)][0]
        print(f"momentum {momentum}: one drop {a['one drop'] - a['cosine']:+.2f} points beside "
              f"cosine (claim: at least -.2), {a['one drop'] - a['small only']:+.2f} beside "
              f"small only (claim: at least 1, at a training loss of small only that is not "
              f"higher: {'so' if lower else 'it is higher'})")
    print(f"{seconds:.0f} processor seconds\n")
    print("| rate / (1 - momentum) | 0 | .5 | .9 | (test accuracy; training loss) |")
    print("|---|---|---|---|---|")
    for effective in (0.1, 0.4, 1.6, 6.4):
        cells = []
        for momentum in (0, 0.5, 0.9):
            got = study.run(study.full, 4, max(1, o.epochs // 3),
                            ["--schedule", "constant"] + pace(effective, momentum))
            cells.append(f"{got[0]:.2f}; {got[1]:.3f}" if got else "diverged")
        print(f"| {effective:g} | {' | '.join(cells)} | |")


main()
