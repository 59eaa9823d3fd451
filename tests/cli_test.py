#!/usr/bin/python3
"""The command as a person and a shell see it: help, typos, exit codes, what goes to which stream.

usage: cli_test.py ASSAY MAN_FOLDER [unittest options]
"""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

ASSAY = MAN = None
VERBS = None
PLAIN = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_") and k != "NO_COLOR"}


def run(*words, env=None, stdout=subprocess.PIPE, cwd=None, timeout=240):
    """Runs the command; on a sanitizer's finding the test fails whatever it looks for."""
    done = subprocess.run([ASSAY, *map(str, words)], stdout=stdout, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env={**PLAIN, **(env or {})}, cwd=cwd,
                          timeout=timeout)
    done.err = done.stderr.decode()
    done.out = (done.stdout or b"").decode()
    if re.search("Sanitizer|runtime error:", done.err):
        raise AssertionError(done.err)
    return done


def png(path, side, pixel):
    """Writes an RGB image; pixel(y, x) gives three bytes."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(y, x)) for x in range(side))
                    for y in range(side))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" +
                     chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def toy(folder, train=40, test=10, side=16):
    """Two classes that a model can tell apart: bright above, bright below."""
    state = 12345
    for split, count in (("train", train), ("test", test)):
        for name in ("above", "below"):
            for i in range(count):
                noise = []
                for _ in range(side * side):
                    state = (state * 1103515245 + 12345) & 0x7fffffff
                    noise.append(state >> 16 & 63)
                png(folder / split / name / f"{i:03}.png", side,
                    lambda y, x: [noise[y * side + x] +
                                  (150 if (y < side // 2) == (name == "above") else 20)] * 3)


def field(number, value):
    """One field of a protobuf message: an integer, or bytes with their length."""
    def varint(v):
        return bytes([v & 127 | 128]) + varint(v >> 7) if v > 127 else bytes([v])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(*nodes, outputs=("y",), opset=13):
    """An ONNX file: x [batch, 3] f32 through nodes (operator, inputs, outputs)."""
    def value(name, *dims):
        shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d))
                         for d in dims)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))
    graph = b"".join(
        field(1, b"".join(field(1, i) for i in ins) + b"".join(field(2, o) for o in outs) +
              field(4, op)) for op, ins, outs in nodes)
    graph += field(11, value("x", "batch", 3))
    graph += b"".join(field(12, value(name, "batch", 3)) for name in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(2, opset))


def npy(path, rows, descr="<f4", form="f"):
    """Writes rows of numbers as NumPy does."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    head += " " * (63 - (len(head) + 10) % 64) + "\n"
    flat = [v for row in rows for v in row]
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
                     struct.pack(f"<{len(flat)}{form}", *flat))


def npy_floats(path):
    data = path.read_bytes()
    return struct.unpack(f"<{(len(data) - 128) // 4}f", data[128:])


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="assay-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, True)

    def good(self, *words, **more):
        done = run(*words, **more)
        self.assertEqual(done.returncode, 0, done.err)
        return done

    def refused(self, code, *words, **more):
        """Fails with the code and an error of the stated form, and says nothing else."""
        done = run(*words, **more)
        self.assertEqual(done.returncode, code, done.out + done.err)
        self.assertRegex(done.err, r"(?m)^error: .+\n(  --> .+\n)?(  help: .+\n)?\Z")
        if "--json" not in words:
            self.assertEqual(done.out, "")
        return done


class Help(Case):
    def test_overview(self):
        for words in ((), ("help",), ("-h",)):
            done = self.good(*words)
            self.assertEqual(done.err, "")
            listed = re.findall(r"^  ([\w-]+) ", done.out, re.M)
            self.assertEqual(sorted(listed), VERBS)

    def test_version(self):
        for words in (("--version",), ("-V",), (VERBS[0], "--version")):
            self.assertRegex(self.good(*words).out, r"^assay \d+\.\d+\.\d+\n$")

    def test_every_verb(self):
        for verb in VERBS:
            with self.subTest(verb):
                screen, manual = self.good(verb, "-h"), self.good(verb, "--help")
                self.assertEqual(screen.err + manual.err, "")
                self.assertEqual(self.good("help", verb).out, manual.out)
                self.assertIn(f"usage: assay {verb}", screen.out)
                options = set(re.findall(r"--(?:\[no-\])?[a-z][a-z-]+", manual.out))
                for option in re.findall(r"^ +(?:-\w, )?(--(?:\[no-\])?[a-z-]+)", screen.out, re.M):
                    self.assertIn(option, options)
                page = (MAN / f"assay-{verb}.1").read_text().replace("\\-", "-")
                for option in re.findall(r"^ {7}(?:-\w, )?(--(?:\[no-\])?[a-z-]+)", manual.out,
                                         re.M):
                    self.assertIn(option, page)

    def test_manual_pages_have_no_warnings(self):
        self.assertEqual(sorted(p.name for p in MAN.glob("*.1")),
                         sorted(["assay.1"] + [f"assay-{v}.1" for v in VERBS]))
        if not shutil.which("groff"):
            self.skipTest("groff is absent")
        for page in MAN.glob("*.1"):
            done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", page],
                                  capture_output=True, check=True)
            self.assertEqual(done.stderr.decode(), "", page.name)
            self.assertIn(page.stem.upper().encode() + b"(1)", done.stdout)


class Usage(Case):
    def test_unknown_verb(self):
        done = self.refused(2, "aduit")
        self.assertIn("did you mean 'audit'", done.err)
        self.assertNotIn("did you mean", self.refused(2, "zzzzzzzzzz").err)
        self.refused(2, "help", "aduit")
        self.assertIn("after the verb", self.refused(2, "--json=x").err)

    def test_unknown_option(self):
        done = self.refused(2, "pack", "a", "b", "--qualty=3")
        self.assertIn("did you mean '--quality'", done.err)
        self.assertIn("--> assay pack", done.err)
        self.refused(2, "pack", "a", "b", "-Z")

    def test_values(self):
        self.assertIn("from 1 to 100", self.refused(2, "pack", "a", "b", "--quality=0").err)
        self.assertIn("auto|raw|jpg|keep|smart|proportion", self.refused(2, "pack", "a", "b", "--mode=bmp").err)
        self.assertIn("OUT.beton is missing", self.refused(2, "pack", "a").err)
        self.assertIn("--output=DIR is missing", self.refused(2, "train", "a").err)
        self.assertIn("multiple of 3", self.good("audit", "--help").out)

    def test_json_on_failure(self):
        for words in (("pack", "--json", "a", "b", "--qualty=3"), ("nope", "--json"),
                      ("info", "absent.beton", "--json")):
            done = self.refused(2, *words)
            document = json.loads(done.out)
            self.assertEqual(document["schema"], "assay.error/1")
            self.assertEqual(document["error"]["exit"], 2)
            self.assertTrue(document["error"]["what"])
            self.assertTrue(done.out.endswith("\n") and done.out.count("\n") == 1)

    def test_environment(self):
        done = self.refused(2, "info", "x", env={"ASSAY_THREADS": "many"})
        self.assertIn("ASSAY_THREADS", done.err)
        self.refused(2, "info", "x", env={"ASSAY_ISA": "mmx"})

    def test_control_characters_do_not_reach_the_terminal(self):
        done = self.refused(2, "info", "a\x1b[31mb\n.beton")
        self.assertNotIn("\x1b", done.err)

    def test_color(self):
        self.assertNotIn("\x1b", run("info", "absent").err)
        self.assertIn("\x1b[1;31merror:", run("info", "absent", "--color=always").err)


class Packed(Case):
    """Has a toy data set, packed once."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="assay-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)
        toy(cls.shared / "toy")
        cls.beton = cls.shared / "toy.beton"
        cls.packed = run("pack", cls.shared / "toy", cls.beton, "--json")
        assert cls.packed.returncode == 0, cls.packed.err


class Data(Packed):
    def test_pack(self):
        document = json.loads(self.packed.out)
        self.assertEqual(document["schema"], "assay.pack/1")
        self.assertEqual((document["rows"], document["train_rows"], document["test_rows"],
                          document["classes"]), (100, 80, 20, 2))
        again = self.dir / "again.beton"
        done = self.good("pack", self.shared / "toy", again, "-j1")
        self.assertIn("100 rows (80 train, 20 test), 2 classes", done.out)
        self.assertEqual(again.read_bytes(), self.beton.read_bytes())
        self.refused(2, "pack", self.shared / "toy", again)
        self.good("pack", self.shared / "toy", again, "-qf")

    def test_edit(self):
        out = self.dir / "two.beton"
        done = self.good("merge", self.beton, self.beton, self.beton, "-o", out, "--json")
        document = json.loads(done.out)
        self.assertEqual(document["schema"], "assay.edit/1")
        self.assertEqual((document["rows"], document["train_rows"]), (300, 240))
        self.assertIn("exists", self.refused(2, "merge", self.beton, self.beton, "-o", out).err)
        self.refused(2, "merge", self.beton, "-o", out)
        grown = self.dir / "grown.beton"
        shutil.copy(self.beton, grown)
        self.assertIn("200 rows", self.good("append", grown, self.beton).out)
        self.good("append", grown, self.beton)
        self.assertEqual(grown.read_bytes(), out.read_bytes())
        some = self.dir / "some.beton"
        self.good("select", self.beton, some, "--rows=0:10,95:", "--class=above", "--class=below")
        self.assertEqual(json.loads(self.good("info", some, "--json").out)["num_samples"], 15)
        self.assertIn("no class", self.refused(2, "select", self.beton, some, "-f", "--class=x").err)
        part = self.dir / "part.beton"
        self.assertIn("3 files", self.good("split", self.beton, part, "--shards=3").out)
        self.good("split", self.beton, part, "--by-split")
        for name, rows in (("train", 80), ("test", 20)):
            found = json.loads(self.good("info", self.dir / f"part-{name}.beton", "--json").out)
            self.assertEqual(found["num_samples"], rows)
        self.refused(2, "split", self.beton, part)
        self.good("verify", self.dir / "part-2.beton")

    def test_quiet(self):
        done = self.good("pack", self.shared / "toy", self.dir / "x.beton", "-q")
        self.assertEqual(done.err, "")

    def test_info(self):
        document = json.loads(self.good("info", self.beton, "--json").out)
        self.assertEqual(document["version"], 2)
        self.assertEqual(document["num_samples"], 100)
        self.assertEqual([f["name"] for f in document["fields"]], ["image", "label"])
        for field in document["fields"]:
            self.assertEqual({"name", "type", "shape", "dtype"} - set(field), set())
        self.assertEqual(document["schema"], "assay.info/1")
        text = self.good("info", self.beton).out
        for part in ("samples    100", "above, below", "image", "label", "sha256:"):
            self.assertIn(part, text)

    def test_result_to_file(self):
        out = self.dir / "info.json"
        done = self.good("info", self.beton, "--json", "-o", out)
        self.assertEqual(done.out, "")
        self.assertEqual(json.loads(out.read_text())["num_samples"], 100)
        self.assertIn("-f", self.refused(2, "info", self.beton, "-o", out).err)
        self.good("info", self.beton, "-fo", out)
        self.refused(2, "info", self.beton, "-o", self.dir / "absent" / "x")

    def test_bench(self):
        done = self.good("bench", "load", self.beton, "--epochs", "1", "--batch", "16",
                         "--pipeline", "image: resize(16) | flip | normalize(imagenet)", "--json")
        told = json.loads(done.out)
        for key in ("cpu_ms_per_image", "images_per_second", "memcpy_ms_per_image",
                    "first_batch_ms", "peak_rss_bytes", "slots", "batch_bytes"):
            self.assertGreater(told[key], 0, key)
        self.assertEqual(told["batch_bytes"], 16 * 16 * 16 * 3 * 4)
        self.assertIs(told["index"], False)
        self.assertIn("first batch", self.good("bench", "load", self.beton, "--limit", "20",
                                               "--pipeline", "label").out)
        self.assertIn("load", self.refused(2, "bench", "train", self.beton).err)
        self.assertIn("FILE", self.refused(2, "bench", "load").err)
        self.assertIn("flip", self.refused(2, "bench", "load", self.beton,
                                           "--pipeline", "image: flop").err)

    def test_bench_step(self):
        told = json.loads(self.good("bench", "step", "--model=mlp", "--batch=8", "-j1",
                                    "--seconds=0.1", "--json").out)
        for key in ("images_per_second", "ms_per_step", "cpu_ms_per_step", "gflop_per_step",
                    "arena_bytes", "loss"):
            self.assertGreater(told[key], 0, key)
        self.assertEqual((told["model"], told["batch"], told["threads"], told["precision"]),
                         ("mlp", 8, 1, "f32"))
        self.assertEqual(told["parameters"], 784 * 256 + 256 + 2560 + 10)
        self.assertAlmostEqual(told["gflop_per_step"],
                               8e-9 * 2 * (2 * 784 * 256 + 3 * 2560), places=9)
        self.assertIn("per step", self.good("bench", "step", "--model=cnn", "--batch=2",
                                            "--seconds=0.01").out)
        self.assertIn("mlp", self.refused(2, "bench", "step", "--model=vgg").err)
        self.assertIn("no file", self.refused(2, "bench", "step", self.beton).err)

    def test_bench_ops(self):
        told = json.loads(self.good("bench", "ops", "mlp 32x10", "--json").out)
        self.assertEqual([(r["op"], r["pass"], r["other"]) for r in told["rows"]],
                         [("linear", p, "oneDNN")
                          for p in ("forward", "backward-data", "backward-weights")])
        for row in told["rows"]:
            self.assertLess(row["error"], 1e-6)
            self.assertGreater(min(row["own_ms"], row["other_ms"], row["own_gflops"]), 0)
        told = json.loads(self.good("bench", "ops", "C256 @8", "--json").out)
        self.assertEqual([r["op"] for r in told["rows"]], ["norm+relu"] * 2 + ["max_pool"] * 2)
        for row in told["rows"]:
            self.assertEqual((row["error"], row["other"]), (0, "plain C"))
        self.assertIn("linear", self.good("bench", "ops", "mlp 32x10").out)
        self.assertIn("fits the filter", self.refused(2, "bench", "ops", "nothing").err)

    def test_bench_attribute(self):
        for projector in ("sjlt", "kronecker"):
            told = json.loads(self.good("bench", "attribute", "--model=mlp-32-16", "--dim=256", "-j1",
                                        "--projector", projector, "--seconds=0.01", "--json").out)
            self.assertEqual((told["projector"], told["dim"], told["threads"]), (projector, 256, 1))
            for value in (told["ms_per_example"], told["peak_bytes"], *told["split"].values()):
                self.assertGreater(value, 0)
        self.assertIn("per example", self.good("bench", "attribute", "--model=mlp-8", "--dim=16",
                                               "--seconds=0.01").out)
        self.assertIn("mlp", self.refused(2, "bench", "attribute", "--model=vgg").err)
        self.assertIn("no file", self.refused(2, "bench", "attribute", self.beton).err)

    def test_sources(self):
        table = self.dir / "texts.tsv"
        table.write_text("".join(f"text number {i}\t{i % 2}\n" for i in range(40)))
        told = json.loads(self.good("pack", table, self.dir / "texts.beton", "--json").out)
        self.assertEqual((told["importer"], told["rows"], told["classes"]), ("csv", 40, 2))
        self.assertIn("no images", self.refused(3, "audit", table, "-n").err)
        lines = self.dir / "bad.jsonl"
        lines.write_text('{"path": "../../etc/passwd", "label": 0}\n')
        self.assertIn("line 1", self.refused(2, "pack", lines, self.dir / "bad.beton").err)
        self.assertIn("webdataset", self.refused(2, "pack", table, self.dir / "x.beton",
                                                 "--from=parquet").err)

    def test_score(self):
        """Features of two models as a TRAKer leaves them, against its formula in plain Python."""
        n, m, k, store = 7, 3, 2, self.dir / "trak"
        def array(path, rows, letter="f"):
            wide = len(rows[0]) if isinstance(rows[0], tuple) else 0
            shape = f"({len(rows)}, {wide})" if wide else f"({len(rows)},)"
            kind = {"f": "<f4", "e": "<f2", "i": "<i4"}[letter]
            head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
            head += " " * (-(len(head) + 11) % 64) + "\n"
            flat = [v for r in rows for v in (r if wide else (r,))]
            path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(flat)}{letter}", *flat))
        def value(seed):
            return (seed * 2654435761 % 1000 - 500) / 512  # exact in half precision
        models, want = [], [[0.0] * m for _ in range(n)]
        for model in range(2):
            rows = [tuple(value(100 * model + k * i + j) for j in range(k)) for i in range(n)]
            targets = [tuple(value(1000 + 100 * model + k * i + j) for j in range(k)) for i in range(m)]
            q = [((model + 1) * (i + 1) % 5 + 1) / 8 for i in range(n)]
            models.append((rows, targets, q))
            (store / str(model)).mkdir(parents=True)
            (store / f"id_{model}.json").write_text("{}")
            array(store / str(model) / "grads.mmap", rows, "e")
            array(store / str(model) / "now_grads.mmap", targets, "e")
            array(store / str(model) / "out_to_loss.mmap", [(v,) for v in q], "e")
            array(store / str(model) / "_is_featurized.mmap", [(1,)] * n, "i")
            a, b, c = (sum(r[x] * r[y] for r in rows) for x, y in ((0, 0), (0, 1), (1, 1)))
            inverse = [[c / (a * c - b * b), -b / (a * c - b * b)], [-b / (a * c - b * b), a / (a * c - b * b)]]
            size = sum(abs(v) for line in inverse for v in line) / 4
            for i in range(n):
                for t in range(m):
                    want[i][t] += sum(rows[i][x] * inverse[x][y] / size * targets[t][y] for x in range(2) for y in range(2)) / 2
        mean = [sum(model[2][i] for model in models) / 2 for i in range(n)]
        want = [[want[i][t] * mean[i] for t in range(m)] for i in range(n)]
        tau, csv = self.dir / "tau.npy", self.dir / "tau.csv"
        call = ("score", "--traker", store, "--experiment=now")
        told = json.loads(self.good(*call, "--compat=traker", "--scores", tau, "--csv", csv, "--top=4", "--json").out)
        got = struct.unpack(f"<{n * m}f", tau.read_bytes()[-4 * n * m:])
        for i in range(n):
            for t in range(m):
                self.assertAlmostEqual(got[i * m + t], want[i][t], delta=1e-5)
        for t, target in enumerate(told["targets"]):
            order = sorted(range(n), key=lambda i: -want[i][t])
            self.assertEqual([r["row"] for r in target["helpful"]], [i for i in order if want[i][t] > 0][:4])
            self.assertEqual([r["row"] for r in target["harmful"]], [i for i in order[::-1] if want[i][t] < 0][:4])
        self.assertEqual(len(csv.read_text().splitlines()),
                         1 + sum(len(t[kind]) for t in told["targets"] for kind in ("helpful", "harmful")))
        lists = []
        for model, (rows, targets, q) in enumerate(models):
            for name, data in (("features", rows), ("targets", targets), ("weights", q)):
                path = self.dir / f"{name}-{model}.npy"
                array(path, data)
                lists += [f"--{name}", path]
        same = json.loads(self.good("score", *lists, "--compat=traker", "--top=4", "-j2", "--memory=1M", "--json").out)
        self.assertEqual(same["targets"], told["targets"])
        ridge = json.loads(self.good("score", *lists, "--top=4", "--unweighed", "--json").out)
        self.assertNotEqual(ridge["targets"], told["targets"])
        self.assertIn("helpful", self.good("score", *lists).out)
        self.assertIn("one of each", self.refused(2, "score", *lists[:2]).err)
        self.assertIn("targets-0", self.refused(3, "score", "--features", lists[1], "--targets", lists[1], "--features", lists[7],
                                                "--targets", lists[3]).err)
        self.assertIn("save_dir", self.refused(2, "score").err)
        self.assertIn("then", self.refused(2, "score", "--traker", store, "--experiment=then").err)
        self.assertIn("id_0.json", self.refused(2, "score", "--traker", self.dir, "--experiment=now").err)
        array(store / "1" / "_is_featurized.mmap", [1] * (n - 1) + [0], "i")
        self.assertIn("1 rows have no features", self.refused(3, *call).err)
        array(store / "1" / "_is_featurized.mmap", [1] * n, "i")
        array(store / "1" / "grads.mmap", [(float("inf"), 1.0)] * n, "e")
        self.assertIn("float32", self.refused(3, *call, "--scores", self.dir / "never.npy").err)
        self.assertFalse((self.dir / "never.npy").exists())

    def squares(self):
        """Noise with a bright square whose place says the class: 200 + 20 images as idx files."""
        state, data = 1, self.dir / "idx"
        data.mkdir()
        for name, rows in (("train", 200), ("t10k", 20)):
            pixels, labels = bytearray(), bytes(i % 4 for i in range(rows))
            for label in labels:
                image = bytearray(28 * 28)
                for i in range(28 * 28):
                    state = (1103515245 * state + 12345) % 2**31
                    image[i] = state >> 24
                for y in range(8):
                    at = (4 + 12 * (label // 2) + y) * 28 + 4 + 12 * (label % 2)
                    image[at:at + 8] = bytes(v + 90 for v in image[at:at + 8])
                pixels += image
            (data / f"{name}-images-idx3-ubyte").write_bytes(
                struct.pack(">4I", 0x803, rows, 28, 28) + pixels)
            (data / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, rows) + labels)
        return data

    def test_datamodels(self):
        data = self.squares()
        keep, weights, csv = self.dir / "kept", self.dir / "w.npy", self.dir / "w.csv"
        call = ("datamodels", data, "--rows=200", "--targets=5", "--models=80", "--held-subsets=12", "--held-seeds=2",
                "--epochs=4", "--batch=20", "--lr=0.05", "--top=3")
        told = [json.loads(self.good(*call, "--keep", keep, "--weights", weights, "--csv", csv, f"-j{j}", "-f", "--json").out)
                for j in (1, 2)]
        for document in told:
            self.assertTrue(all(document.pop(k) >= 0 for k in ("seconds", "train_seconds", "fit_seconds")))
        self.assertEqual(told[0], told[1])
        again = json.loads(self.good(*call, "-j2", "--json").out)  # kept or made anew, at any number of threads
        self.assertEqual({k: again[k] for k in told[0]}, told[0])
        self.assertEqual((told[0]["models"], told[0]["nonzero"], len(told[0]["targets"])), (80, 200, 5))
        values = struct.unpack("<1000f", weights.read_bytes()[-4000:])
        for t, target in enumerate(told[0]["targets"]):
            best = max(range(200), key=lambda i: values[i * 5 + t])
            self.assertEqual(target["helpful"][0]["row"], best)
            self.assertAlmostEqual(target["helpful"][0]["weight"], values[best * 5 + t], places=6)
        self.assertEqual(len(csv.read_text().splitlines()), 1 + 5 * 2 * 3)
        lasso = json.loads(self.good(*call, "--keep", keep, "--fit=lasso", "--json").out)
        self.assertLess(lasso["nonzero"], 200)
        self.assertIn("noise ceiling", self.good(*call, "--keep", keep).out)
        self.assertIn("ridge, lasso", self.refused(2, *call, "--fit=none").err.replace("|", ", "))
        self.refused(3, *call[:2], "--rows=500")

    def test_sentences(self):
        table, run = self.dir / "s.tsv", self.dir / "bert"
        table.write_text("".join(f"film {i % 7} {'fine' if i % 2 else 'dull'} {i % 5}\t{i % 2}\n" for i in range(200)))
        words = ("--model=bert-tiny", "--context=12", "--batch=16", "--epochs=2", "--tokens=char")
        told = json.loads(self.good("train", table, "-o", run, *words, "--json").out)
        self.assertEqual(told["train_rows"] + told["test_rows"], 200)
        self.assertIn("(test)", self.good("eval", run, table).out)
        other = self.dir / "t.tsv"
        other.write_text("fine film\t1\ndull film\t0\n")
        self.assertIn("on 2 rows (all)", self.good("eval", run, other).out)
        self.assertIn("no rows to test on", self.good("train", other, "-o", self.dir / "x", *words, "--held-out=0").out)
        other.write_text("fine film\n")
        self.assertIn("line 1", self.refused(3, "eval", run, other).err)
        self.assertIn("whole sequences", self.refused(3, "generate", run).err)
        page, call = self.dir / "s.html", ("attribute", table, "--method=trak", "--dim=256", "--targets=2", "--top=3")
        told = json.loads(self.good(*call, "--checkpoint", run, "--page", page, "--json").out)
        self.assertEqual([len(t["helpful"]) for t in told["targets"]], [3, 3])
        self.assertTrue(all(r["text"].startswith("film") and r["class"] in "01" for t in told["targets"] for r in t["harmful"]))
        self.assertIn("film", page.read_text())
        self.assertIn("film", self.good(*call, "--rows=50", "--epochs=1", "--batch=10", "--models=1").out)
        self.assertIn("reads tokens", self.refused(3, "mislabels", table, "--model=bert-tiny").err)
        plain = self.dir / "p.txt"
        plain.write_text("film " * 400)
        self.assertIn("one label", self.refused(3, "attribute", plain, "--model=bert-tiny").err)

    def test_attribute_a_text(self):
        text, run, page = self.dir / "b.txt", self.dir / "text", self.dir / "text.html"
        text.write_text("the old man saw a red cat\n" * 60)
        self.good("train", text, "-o", run, "--model=gpt-tiny", "--context=16", "--batch=8", "--epochs=2")
        call = ("attribute", text, "--checkpoint", run, "--dim=256", "--top=2")
        told = json.loads(self.good(*call, "--passage=a red cat", "--passage=old man", "--page", page, "--json").out)
        self.assertEqual([(t["kind"], t["text"]) for t in told["targets"]], [("given", "a red cat"), ("given", "old man")])
        html = page.read_text()
        self.assertEqual(html.count('class="t0 said"'), 2)
        self.assertIn("a red cat", html)
        self.assertNotIn("<img", html)
        seen = self.good(*call, "--generate=10", "--prompt=the old").out
        self.assertIn("10 tokens", seen)
        self.assertIn("byte", seen)
        self.assertIn("held-out", self.good(*call, "--targets=1", "--rows=20", "--json").out)
        self.assertIn("for models of text", self.refused(3, "attribute", self.squares(), "--passage=x").err)
        self.assertIn("trains again", self.refused(3, *call, "--method=replay", "--targets=1").err)

    def test_attribute_by_checkpoints(self):
        data, run = self.squares(), self.dir / "run"
        self.good("train", data, "-o", run, "--model=mlp", "--epochs=2", "--members=3", "--json")
        call = ("attribute", data, "--rows=200", "--targets=4", "--top=3", "--dim=256", "--json")
        def told(*more):
            document = json.loads(self.good(*call, *more).out)
            document.pop("seconds")
            return document
        both = told("--checkpoint", run, "--method=trak", "--scores", self.dir / "a.npy")
        self.assertEqual((both["models"], both["centre"], both["model"]), (3, "given", "mlp"))
        files = [w for m in range(3) for w in ("--checkpoint", run / f"member-{m}" / "model.safetensors")]
        one = told(*files, "--method=trak", "-j2")
        self.assertEqual(one, both)
        self.assertIn("-f", self.refused(2, *call, "--checkpoint", run, "--method=trak", "--scores", self.dir / "a.npy").err)
        self.assertIn("nowhere", self.refused(2, *call, "--csv", self.dir / "nowhere" / "x.csv").err)  # before any work
        page = self.dir / "page.html"
        told("--checkpoint", run, "--method=grad-dot", "--page", page)
        html = page.read_text()
        self.assertEqual(html.count('class="t0"'), 4)
        self.assertEqual(html.count("data:image/png;base64,"), 4 + sum(len(t[k]) for t in told(
            "--checkpoint", run, "--method=grad-dot")["targets"] for k in ("helpful", "harmful")))
        self.assertNotIn("http", html.split("</style>")[1])
        for method in ("ekfac", "kernel", "grad-dot"):
            told("--checkpoint", run, "--method", method)
        plain = told("--checkpoint", run, "--method=grad-dot")
        for ask in ("log-probability", "logit"):
            asked = told("--checkpoint", run, "--method=grad-dot", "--ask", ask)
            self.assertEqual(asked["asked"], ask)
            self.assertNotEqual(asked["targets"], plain["targets"])
        other = told("--checkpoint", run, "--method=grad-dot", "--class=1")
        self.assertTrue(all(t["class"] == t.get("asked", t["class"]) or "asked" in t for t in other["targets"]))
        self.assertEqual(len({t.get("asked", t["class"]) for t in other["targets"]}), 1)
        told("--checkpoint", run, "--method=grad-dot", "--class=predicted")
        self.assertIn("no class", self.refused(2, *call, "--checkpoint", run, "--class=nobody").err)
        self.assertIn("margins only", self.refused(3, *call, "--method=replay", "--ask=logit").err)
        self.assertIn("trains again", self.refused(3, *call, "--checkpoint", run, "--method=replay").err)
        self.refused(2, *call, "--checkpoint", self.dir / "nowhere")
        onnx_file, one = self.dir / "m.onnx", ("--checkpoint", run / "member-0" / "model.safetensors")
        self.good("export", one[1], onnx_file, "--to=onnx")
        ours = told(*one, "--method=grad-dot", "--scores", self.dir / "ours.npy")
        theirs = told("--checkpoint", onnx_file, "--method=grad-dot", "--scores", self.dir / "theirs.npy")
        self.assertEqual(theirs["model"], "onnx")
        for a, b in zip(ours["targets"], theirs["targets"]):
            self.assertAlmostEqual(a["margin"], b["margin"], 3)
        a, b = ((self.dir / f"{w}.npy").read_bytes()[-800 * 4:] for w in ("ours", "theirs"))
        a, b = (struct.unpack("<800f", x) for x in (a, b))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 0.01 * max(map(abs, a)))
        # the same weights in another network: never its features, never one ensemble
        tanh, kept = self.dir / "tanh.onnx", ("--method=trak", "--keep", self.dir / "of-onnx")
        tanh.write_bytes(onnx_file.read_bytes().replace(b"Relu", b"Tanh"))
        told("--checkpoint", onnx_file, *kept)
        fresh = told("--checkpoint", tanh, "--method=trak", "--keep", self.dir / "of-tanh")
        self.assertEqual(told("--checkpoint", tanh, *kept)["targets"], fresh["targets"])
        self.assertIn("do not belong together", self.refused(
            3, *call, "--checkpoint", onnx_file, "--checkpoint", tanh).err)
        shifted = told("--checkpoint", onnx_file, "--method=grad-dot", "--mean=0.5", "--std=0.25")
        self.assertNotEqual(shifted["targets"], theirs["targets"])
        self.assertIn("0.49,0.48", self.refused(2, *call, "--checkpoint", onnx_file, "--std=0").err)
        self.assertIn("for .onnx files", self.refused(2, *call, *one, "--mean=0.5").err)
        broken = self.dir / "broken.onnx"
        broken.write_bytes(onnx_file.read_bytes()[:-300])
        self.refused(3, *call, "--checkpoint", broken)
        parts = [*call, "--checkpoint", run, "--method=trak", "--keep", self.dir / "parts"]
        self.assertEqual(json.loads(self.good(*parts, "--shard=1/2").out)["shards"], 2)
        self.assertIn("shard 2 of 2", self.good(*[w for w in parts if w != "--json"], "--shard=2/2").out)
        self.assertIn("1/8", self.refused(2, *parts, "--shard=3/2").err)
        self.assertIn("folder", self.refused(2, *parts[:-2], "--shard=1/2").err)
        gathered = told("--checkpoint", run, "--method=trak", "--keep", self.dir / "parts")
        self.assertEqual(gathered, told("--checkpoint", run, "--method=trak", "--keep", self.dir / "whole"))
        keep, streamed = self.dir / "kept", []
        for more in (("-j1",), ("-j2",), ()):
            streamed.append(told("--checkpoint", run, "--method=trak", "--keep", keep, "--scores", self.dir / "b.npy", "-f", *more))
        self.assertEqual(streamed[0], streamed[1])
        whole = (self.dir / "b.npy").read_bytes()
        for name in ("features-0.npy", "weights-1.npy"):  # damaged blocks are made again
            kept = keep / name
            kept.write_bytes(kept.read_bytes()[:-400] + b"x" * 400)
            told("--checkpoint", run, "--method=trak", "--keep", keep, "--scores", self.dir / "b.npy", "-f")
            self.assertEqual((self.dir / "b.npy").read_bytes(), whole)
        a, b = (struct.unpack("<800f", (self.dir / name).read_bytes()[-3200:]) for name in ("a.npy", "b.npy"))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 1e-4 * max(map(abs, a)))  # in memory or streamed
        told("--model=mlp", "--models=1", "--epochs=2", "--batch=20", "--method=trak", "--keep", self.dir / "fresh")
        self.assertIn("keeps no features", self.refused(3, *call, "--method=ekfac", "--keep", keep).err)

    def test_mislabels(self):
        data, table = self.squares(), self.dir / "all.csv"
        call = ("mislabels", data, "--models=3", "--epochs=4", "--model=mlp", "--flip=10", "--top=5",
                "--method=probability,self-influence:grad-dot")
        told = json.loads(self.good(*call, "--csv", table, "--json").out)
        self.assertEqual((told["planted"], len(told["named"]), told["members"]), (20, 5, 3))
        self.assertGreater(told["methods"][0]["auroc"], 0.9)
        lines = [line.split(",") for line in table.read_text().splitlines()]
        self.assertEqual((len(lines), sum(int(line[3]) for line in lines[1:])), (201, 20))
        first = next(line for line in lines[1:] if line[3] == "0")
        self.assertEqual(int(first[0]), told["named"][0]["row"])
        self.assertAlmostEqual(float(first[4]), told["named"][0]["score"], places=6)
        said = self.good(*call).out
        self.assertIn("precision", said)
        self.assertIn(f"({told['named'][0]['id']})", said)
        self.assertIn("self-influence", self.refused(2, *call[:2], "--method=guess").err)
        self.assertIn("grad-dot", self.refused(2, *call[:2], "--method=harm:replay").err)

    def test_trace(self):
        data, scores, other = self.squares(), self.dir / "s.npy", self.dir / "t.npy"
        for method, path in (("ekfac", scores), ("grad-dot", other)):
            self.good("attribute", data, "--targets=20", "--models=1", "--epochs=4", "--batch=20", "--method", method,
                      "--scores", path, "--json")
        def told(use, *more):
            document = json.loads(self.good("trace", data, "--for", use, "--scores", scores, *more, "--json").out)
            self.assertEqual((document["use"], document["rows"], document["targets"]), (use, 200, 20))
            return document
        leaks = told("leaks")
        self.assertEqual(leaks["counts"]["leak"] + leaks["counts"]["copy"], 0)
        chosen, listed = told("select", "--count=30", "--list", self.dir / "list"), (self.dir / "list").read_text()
        self.assertTrue(0 < chosen["chosen"] <= 30 and chosen["chosen"] == sum(chosen["classes"].values()))
        self.assertEqual(len(listed.split()), chosen["chosen"])
        self.good("pack", data, self.dir / "all.beton")
        some = json.loads(self.good("select", self.dir / "all.beton", self.dir / "some.beton", "--rows", self.dir / "list",
                                    "--json").out)
        self.assertEqual(some["rows"], chosen["chosen"])
        clusters, table = told("clusters", "--count=4", "--csv", self.dir / "c.csv"), (self.dir / "c.csv").read_text()
        self.assertEqual((sum(c["size"] for c in clusters["clusters"]), len(table.splitlines())), (200, 201))
        ways = told("compare", "--against", other, "--count=2")["ways"]
        self.assertEqual([(w["of"], len(w["components"])) for w in ways], [("scores", 2), ("against", 2)])
        for use in ("leaks", "select", "clusters"):
            self.assertTrue(self.good("trace", data, "--for", use, "--scores", scores).out)
        self.assertIn("component 0", self.good("trace", data, "--for=compare", "--scores", scores, "--against", other).out)
        self.assertIn("two tables", self.refused(2, "trace", data, "--for=compare", "--scores", scores).err)
        self.refused(2, "trace", data, "--for=gold", "--scores", scores)
        self.refused(2, "trace", data, "--scores", scores)
        self.refused(2, "trace", data, "--for=leaks", "--scores", self.dir / "nowhere.npy")

    def test_lds(self):
        data = self.squares()
        keep = self.dir / "truth"
        told = [json.loads(self.good("lds", data, "--protocol=toy", "--methods=kernel,grad-dot", "--models=1,2",
                                     "--keep", keep, f"-j{j}", "--json").out) for j in (1, 2)]
        self.assertEqual((told[0]["models"], told[0]["truth_kept"], told[1]["truth_kept"]), (32, False, True))
        self.assertTrue(0 < told[0]["ceiling"] <= 1)
        self.assertEqual([(m["method"], m["models"], m["centre"]) for m in told[0]["methods"]],
                         [(m, n, "matched") for m in ("kernel", "grad-dot") for n in (1, 2)])
        for one, other in zip(told[0]["methods"], told[1]["methods"]):
            self.assertTrue(one["ci"][0] < one["lds"] < one["ci"][1])
            self.assertEqual({**one, "seconds": 0, "cpu_seconds": 0}, {**other, "seconds": 0, "cpu_seconds": 0})  # whatever the threads
        stack = json.loads(self.good("lds", data, "--protocol=toy", "--methods=replay,stack", "--keep", keep,
                                     "--json").out)["methods"]
        self.assertEqual([m["method"] for m in stack], ["replay", "stack"])
        self.assertGreater(stack[1]["lds"], stack[0]["null_rows"])
        only = json.loads(self.good("lds", data, "--protocol=toy", "--truth-only", "--keep", keep, "--json").out)
        self.assertEqual((list(only)[-2:], only["methods"]), (["models", "seconds"], []))
        table, scores = self.dir / "named.csv", self.dir / "scores.npy"
        told = json.loads(self.good("attribute", data, "--targets=3", "--top=4", "--models=1", "--epochs=4",
                                    "--batch=20", "--csv", table, "--scores", scores, "--json").out)
        self.assertEqual((told["rows"], len(told["targets"]), told["centre"]), (200, 3, "matched"))
        for target in told["targets"]:
            helps, harms = ([r["score"] for r in target[k]] for k in ("helpful", "harmful"))
            self.assertEqual((helps, harms), (sorted(helps, reverse=True), sorted(harms)))
            self.assertTrue(len(helps) == len(harms) == 4 and helps[-1] > 0 > harms[-1])
        self.assertEqual(len(table.read_text().splitlines()), 1 + 3 * 8)
        all_scores = npy_floats(scores)
        self.assertEqual(len(all_scores), 200 * 3)
        self.assertAlmostEqual(max(all_scores[0::3]), told["targets"][0]["helpful"][0]["score"], places=5)
        self.assertIn("helpful", self.good("attribute", data, "--targets=1", "--models=1", "--epochs=2").out)
        self.assertIn("200", self.refused(3, "attribute", data, "--rows=2000").err)
        self.counterfactual(data)
        self.assertIn("ceiling", self.good("lds", data, "--protocol=toy", "--methods=kernel", "--keep", keep).out)
        small = ("lds", data, "--protocol=toy", "--keep", keep, "--dim=64", "--json")
        def methods(*more):
            return json.loads(self.good(*small, *more).out)["methods"]
        auto = methods("--methods=trak,ekfac", "--ridge=auto", "--damping=auto", "--threshold=auto")
        self.assertEqual([[k for k in ("ridge", "damping", "threshold") if k in m] for m in auto],
                         [["ridge", "threshold"], ["damping", "threshold"]])
        best = methods("--methods=trak", "--ridge=auto")[0]
        for ridge in (0.001, 100):
            self.assertLessEqual(methods("--methods=trak", f"--ridge={ridge}", "--damping=auto")[0]["lds_fit"], best["lds_fit"])
        half, full = (methods("--methods=trak", f"--precision={p}")[0]["lds"] for p in ("bf16", "f32"))
        self.assertLess(abs(half - full), .1)
        theirs = [methods("--methods=trak", "--compat=traker", *more)[0]["lds"] for more in ((), ("--unweighed",))]
        self.assertNotEqual(*theirs)
        self.assertIn("ridge", self.refused(3, "lds", data, "--protocol=toy", "--methods=trak", "--compat=traker", "--dim=512").err)
        self.assertIn("toy", self.refused(2, "lds", data, "--protocol=z").err)
        self.assertIn("kernel", self.refused(2, "lds", data, "--methods=astrology").err)
        self.assertIn("2000", self.refused(3, "lds", data, "--methods=kernel").err)
        self.assertIn("1,5,10", self.refused(2, "lds", data, "--models=5,1").err)

    def counterfactual(self, data):
        keep, table, scores = self.dir / "removed", self.dir / "changes.csv", self.dir / "own.npy"
        self.good("attribute", data, "--targets=20", "--models=1", "--epochs=2", "--scores", scores, "-f")
        one, own = json.loads(self.good("lds", data, "--protocol=toy", "--methods=grad-dot", "--keep", self.dir / "truth",
                                        "--scores", f"own={scores}", "--json").out)["methods"]
        self.assertEqual((own["method"], own["models"]), ("own", 0))
        self.assertNotEqual(own["lds"], one["lds"])
        self.assertTrue(abs(own["lds"]) < 1 and own["lds"] != 0)
        self.assertIn("mine=", self.refused(2, "lds", data, "--protocol=toy", "--scores=own").err)
        self.good("attribute", data, "--targets=4", "--models=1", "--epochs=2", "--scores", scores, "-f")
        call = ("counterfactual", data, "--protocol=toy", "--targets=3", "--models=1", "--seeds=1", "--removals=10,50",
                "--methods=ekfac,random-class", "--scores", f"own={scores}", "--json")
        told = [json.loads(self.good(*call, *more).out) for more in
                (("-j1", "--keep", keep, "--csv", table), ("-j3",), ("-j1", "--keep", keep))]
        self.assertEqual([(m["method"], m["models"]) for m in told[0]["methods"]],
                         [("ekfac", 1), ("random-class", 0), ("own", 0)])
        for document in told:
            for method in (document, *document["methods"]):
                method["seconds"] = 0
        self.assertEqual(told[0], told[1])  # whatever the threads
        self.assertEqual(told[0], told[2])  # from what was kept
        self.assertEqual(len(list(keep.iterdir())), 6)
        ekfac, chance, own = (m["removals"] for m in told[0]["methods"])
        self.assertEqual([r["removed"] for r in ekfac], [10, 50])
        self.assertLess(chance[1]["measured"], 0)  # all of the target's class are gone
        self.assertEqual((chance[1]["flipped"], chance[1]["predicted"]), (1, None))
        self.assertTrue(own[0]["ci"][0] <= own[0]["measured"] <= own[0]["ci"][1])
        self.assertEqual(len(table.read_text().splitlines()), 1 + 3 * 2 * 3)
        self.assertIn("190", self.refused(2, *call[:3], "--removals=190").err)
        self.assertIn("random-class", self.refused(2, *call[:3], "--methods=astrology").err)
        self.assertIn("own.npy", self.refused(3, *call[:3], "--targets=5", "--methods=random", "--removals=1",
                                              "--seeds=1", "--models=1", "--scores", f"own={scores}").err)
        self.assertIn("mine=", self.refused(2, *call[:3], "--scores=nothing").err)
        few = [json.loads(self.good("counterfactual", data, "--protocol=toy", "--targets=6", "--models=1", "--seeds=2", "--removals=10",
                                    "--methods=grad-dot,random", "--until-flipped", f"-j{j}", "--json").out)["methods"] for j in (1, 3)]
        for one, other in zip(*few):
            self.assertEqual(one["brittle"], other["brittle"])
        named, random = (m["brittle"] for m in few[0])
        self.assertEqual(named["right"], len(named["targets"]))
        self.assertGreater(named["right"], 0)
        for target in named["targets"] + random["targets"]:
            self.assertGreater(target["margin"], 0)
            self.assertEqual(target["confirmed"], target["rows"] is not None and target["margin_without"] < 0)
        self.assertGreaterEqual(named["confirmed"], random["confirmed"])
        self.assertTrue(all(t["predicted"] is None for t in random["targets"]))

    def test_export(self):
        folder, shards = self.dir / "exported", self.dir / "shards"
        done = self.good("export", self.beton, folder)
        self.assertIn("100 rows in", done.out)
        self.assertTrue((folder / "classes.json").is_file())
        self.assertIn("--force", self.refused(2, "export", self.beton, folder).err)
        self.good("export", self.beton, folder, "-f", "--limit=3")
        document = json.loads(self.good("export", self.beton, shards, "--to=webdataset",
                                        "--shard-rows=30", "--json").out)
        self.assertEqual((document["schema"], document["rows"]), ("assay.export/1", 100))
        again = self.dir / "again.beton"
        hashes = [json.loads(self.good("info", f, "--json").out)["sha256"]
                  for f in (self.beton, again)
                  if f.exists() or self.good("pack", shards, f)]
        self.assertEqual(hashes[0], hashes[1])
        self.refused(2, "export", self.beton, self.dir / "x", "--split=no-such")
        self.refused(2, "export", self.dir / "absent.beton", self.dir / "x")
        self.assertFalse([f for f in self.dir.iterdir() if ".tmp" in f.name])

    def test_verify(self):
        self.assertIn("nothing wrong", self.good("verify", self.beton).out)
        self.assertTrue(json.loads(self.good("verify", self.beton, "--quick", "--json").out))
        whole = self.beton.read_bytes()
        bad = self.dir / "bad.beton"
        for at in (0, 5, 40, len(whole) // 2, len(whole) - 9):
            bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:])
            done = self.refused(3, "verify", bad)
            self.assertIn("bad.beton", done.err)
        for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
            bad.write_bytes(whole[:size])
            self.refused(3, "verify", bad)
        document = json.loads(self.refused(3, "verify", bad, "--json").out)
        self.assertEqual(document["error"]["exit"], 3)
        self.assertEqual(document["report"]["schema"], "assay.verify/1")
        self.assertTrue(document["report"]["problems"])

    def test_index(self):
        jpegs = self.dir / "jpegs.beton"
        self.good("pack", self.shared / "toy", jpegs, "--mode", "jpg")
        info = json.loads(self.good("info", jpegs, "--json").out)["fields"][0]
        self.assertEqual((info["index"]["images"], info["index"]["beside"]), (100, False))
        self.refused(2, "index", jpegs)
        self.good("pack", self.shared / "toy", jpegs, "--mode", "jpg", "--no-index", "-f")
        info = json.loads(self.good("info", jpegs, "--json").out)["fields"][0]
        self.assertIsNone(info["index"])
        done = self.good("index", jpegs, "--json")
        document = json.loads(done.out)
        beside = self.dir / "jpegs.beton.idx"
        self.assertEqual((document["schema"], document["images"], document["indexed"],
                          document["left_to_libjpeg"], document["raw"], document["interval"],
                          document["bytes"]),
                         ("assay.index/1", 100, 100, 0, 0, 8, beside.stat().st_size))
        first = beside.read_bytes()
        self.refused(2, "index", jpegs)
        self.assertIn("100 of 100 images", self.good("index", jpegs, "-f", "-j1").out)
        self.assertEqual(beside.read_bytes(), first)
        info = json.loads(self.good("info", jpegs, "--json").out)["fields"][0]
        self.assertEqual((info["index"]["interval"], info["index"]["images"],
                          info["index"]["beside"]), (8, 100, True))
        self.assertIn("index of 100 JPEGs", self.good("info", jpegs).out)
        self.good("index", jpegs, "-f", "--interval", 1, "-o", self.dir / "fine.idx")
        self.refused(2, "index", jpegs, "--interval", 65, "-f")
        self.refused(2, "index", jpegs, "--field", "no", "-f")
        self.refused(2, "index", self.dir / "none.beton")
        self.refused(3, "index", self.beton)

    def test_doctor(self):
        done = self.good("doctor", self.beton, "--seconds", "0.01", "--rows", 20, "--batch", 4,
                         "-p", "cifar-f32", "--json")
        document = json.loads(done.out)
        self.assertEqual((document["schema"], document["rows"]), ("assay.doctor/1", 20))
        names = [remedy["name"] for remedy in document["remedies"]]
        self.assertIn("bytes", names)
        self.assertIn("jpg", names)
        told = self.good("doctor", self.beton, "--seconds", "0.01", "--rows", 20, "--batch", 4,
                         "--consumer-ms", 1).out
        self.assertIn("bottleneck: ", told)
        self.assertIn("the training step waits", told)
        self.refused(2, "doctor", self.beton, "-p", "image: nothing")
        self.refused(2, "doctor", self.dir / "none.beton")

    def test_dump(self):
        self.good("dump", self.beton, "--sample", 3, "-o", self.dir / "i.npy")
        header = (self.dir / "i.npy").read_bytes()[:128]
        self.assertIn(b"(16, 16, 3)", header)
        self.good("dump", self.beton, "--sample", 3, "-o", self.dir / "i.png")
        self.assertTrue((self.dir / "i.png").read_bytes().startswith(b"\x89PNG"))
        self.good("dump", self.beton, "--sample", 3, "--field", "label", "-o", self.dir / "l.json")
        self.good("dump", self.beton, "--field", "label", "-o", self.dir / "l.npy")
        self.assertIn(b"'shape': ()", (self.dir / "l.npy").read_bytes())
        self.refused(2, "dump", self.beton, "-o", self.dir / "i.png")
        self.refused(2, "dump", self.beton, "--sample", 100, "-o", self.dir / "j.png")
        self.refused(2, "dump", self.beton, "--field", "no", "-o", self.dir / "j.png")
        self.refused(3, "dump", self.beton, "-o", self.dir / "j.tiff")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()),
                         ["i.npy", "i.png", "l.json", "l.npy"])

    def test_bad_sources(self):
        out = self.dir / "out.beton"
        self.refused(2, "pack", self.dir / "absent", out)
        (self.dir / "empty").mkdir()
        self.refused(3, "pack", self.dir / "empty", out)
        shutil.copytree(self.shared / "toy", self.dir / "toy")
        victim = self.dir / "toy" / "train" / "below" / "007.png"
        victim.write_bytes(victim.read_bytes()[:60])
        done = self.refused(3, "pack", self.dir / "toy", out)
        self.assertIn("007.png", done.err)
        self.assertFalse(out.exists())
        done = self.good("pack", self.dir / "toy", out, "--skip-corrupt")
        self.assertIn("left out as damaged: 1", done.out)

    def test_unwritable(self):
        (self.dir / "file").write_text("x")
        for out in (self.dir / "absent" / "x.beton", self.dir / "file" / "x.beton",
                    "/proc/x.beton"):
            self.refused(2, "pack", self.shared / "toy", out)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["file"])

    def test_full_output(self):
        with open("/dev/full", "wb") as full:
            done = run("info", self.beton, stdout=full)
        self.assertEqual(done.returncode, 4, done.err)
        self.assertIn("standard output", done.err)

    def test_full_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "assay-test", disk],
                          capture_output=True).returncode != 0:
            self.skipTest("a small disk can't be mounted here")
        try:
            self.refused(4, "pack", self.shared / "toy", disk / "x.beton")
            self.assertEqual(list(disk.iterdir()), [])
            (disk / "fill").write_bytes(b"x" * 16384)
            self.refused(4, "info", self.beton, "-o", disk / "x")
            self.assertFalse((disk / "x").exists())
        finally:
            subprocess.run(["umount", disk], check=True)


class Work(Packed):
    """Training and auditing the toy."""
    small = ("--epochs=2", "--batch=16")

    def trained(self, *more):
        out = self.dir / "run"
        done = self.good("train", self.beton, "-o", out, *self.small, *more)
        return out, done

    def test_a_model_of_text(self):
        text, out = self.dir / "play.txt", self.dir / "play"
        text.write_text("to be or not to be, that is the question\n" * 40)
        words = ("--model=gpt-tiny", "--context=16", "--batch=8", "--epochs=2")
        done = self.good("train", text, "-o", out, *words, "--tokens=char", "--json")
        document = json.loads(done.out)
        self.assertEqual(document["train_tokens"] + document["test_tokens"], 41 * 40)
        self.assertGreater(document["bits_per_byte"], 0)
        judged = json.loads(self.good("eval", out, text, "--json").out)
        self.assertAlmostEqual(judged["loss"], document["loss"], 6)
        self.assertIn("per token", self.good("eval", out, text, "--split=all").out)
        said = self.good("generate", out, "--prompt=to be", "-n", "20", "--seed=4").out
        self.assertTrue(said.startswith("to be"))
        self.assertEqual(len(said), 5 + 20 + 1)
        self.assertEqual(said, self.good("generate", out, "--prompt=to be", "-n", "20",
                                         "--seed=4").out)
        document = json.loads(self.good("generate", out, "-n", "9", "--json").out)
        self.assertEqual((document["schema"], len(document["text"])), ("assay.generate/1", 9))
        self.assertIn("U+0078", self.refused(3, "generate", out, "--prompt=xylo").err)
        # As ONNX the model says the same: its likeliest token comes next.
        characters, prompt = sorted(set(text.read_text())), "to be"
        tokens = [characters.index(c) for c in prompt] + [0] * (16 - len(prompt))
        npy(self.dir / "tokens.npy", [tokens], "<i4", "i")
        self.good("export", out / "model.safetensors", self.dir / "play.onnx", "--to=onnx")
        self.good("infer", self.dir / "play.onnx", self.dir / "tokens.npy", "-o",
                  self.dir / "logits.npy")
        logits = npy_floats(self.dir / "logits.npy")[4 * len(characters):5 * len(characters)]
        said = self.good("generate", out, f"--prompt={prompt}", "-n", "1", "--temperature=0").out
        self.assertEqual(said, prompt + characters[logits.index(max(logits))] + "\n")
        self.assertIn("tokens", self.refused(3, "train", self.beton, "-o", self.dir / "x",
                                             "--model=gpt-tiny", "--tokens=char").err)
        self.refused(2, "train", text, "-o", self.dir / "x", "--model=gpt-tiny",
                     "--tokens=word")

    def test_train_settings(self):
        first, done = self.trained("--optimizer=muon", "--group=*bias:rate=4,decay=1", "--clip=5",
                                   "--lookahead=2", "--mixup=0.2", "--validation=0.2", "--json")
        self.assertEqual(json.loads(done.out)["train_rows"], 80)
        line = json.loads((first / "run.json").read_text())["recipe"]
        for word in ("optimizer=muon", "group=*bias:rate=4,decay=1", "lookahead=2", "mixup=0.2"):
            self.assertIn(word, line)
        self.assertIn("val_loss", json.loads(
            (first / "metrics.jsonl").read_text().splitlines()[0]))
        second = self.dir / "second"
        self.good("train", self.beton, "-o", second, *self.small, "--tta=mirror-shift",
                  f"--init={first / 'model.safetensors'}", "--freeze=*weight")
        self.assertIn("init_sha256", (second / "run.json").read_text())
        self.good("eval", second, self.beton, "--tta=mirror")
        self.assertIn("matches \"nobody\"", self.refused(
            2, "train", self.beton, "-o", self.dir / "x", "--freeze=nobody").err)
        self.assertIn("newton", self.refused(
            2, "train", self.beton, "-o", self.dir / "x", "--optimizer=newton").err)

    def test_train_eval(self):
        out, done = self.trained("--json")
        document = json.loads(done.out)
        self.assertEqual(document["schema"], "assay.train/1")
        self.assertEqual((document["train_rows"], document["test_rows"]), (80, 20))
        self.assertTrue((out / "model.safetensors").exists())
        self.assertTrue(0 <= document["accuracy"] <= 1)
        for line in (out / "metrics.jsonl").read_text().splitlines():
            json.loads(line)
        for model in (out, out / "model.safetensors"):
            evaluated = json.loads(self.good("eval", model, self.beton, "--json").out)
            self.assertEqual(evaluated["rows"], 20)
            self.assertAlmostEqual(evaluated["accuracy"], document["accuracy"], 6)
        self.assertIn("80 rows (train)", self.good("eval", out, self.beton, "--split=train").out)
        onnx = self.dir / "m.onnx"
        self.good("export", out / "model.safetensors", onnx, "--to=onnx")
        self.assertIn(b"logits", onnx.read_bytes())
        self.assertIn("--force", self.refused(2, "export", out / "model.safetensors", onnx,
                                              "--to=onnx").err)
        npy(self.dir / "x.npy", [[0.5]])
        done = self.refused(3, "infer", onnx, self.dir / "x.npy", "-o", self.dir / "y.npy")
        self.assertIn("input 'images' is [N,", done.err)
        self.refused(3, "export", self.beton, self.dir / "n.onnx", "--to=onnx")
        self.refused(2, "train", self.beton, "-o", self.dir / "x", "--model=nonesuch")
        self.refused(2, "eval", self.dir / "absent", self.beton)

    def fleet(self, out, *more, code=0):
        words = ("fleet", self.beton, "-o", self.dir / out, "--models=6", "--seeds=2", "--epochs=1", *more)
        return self.refused(code, *words) if code else self.good(*words)

    def same_fleets(self, a, b):
        names = [sorted(p.relative_to(d) for p in d.rglob("*") if p.is_file() and "run" not in p.parts)
                 for d in (self.dir / a, self.dir / b)]
        self.assertEqual(*names)
        for name in names[0]:
            self.assertEqual((self.dir / a / name).read_bytes(), (self.dir / b / name).read_bytes(), name)

    def test_fleet(self):
        document = json.loads(self.fleet("whole", "--json").out)
        self.assertEqual(list(document)[-3:], ["models", "seconds", "cpu_seconds"])
        self.assertEqual((document["schema"], document["models"], document["subsets"], document["rows"]),
                         ("assay.fleet/1", 6, 3, 20))
        self.assertTrue(document["gflop"] > 0 and document["failed"] == 0)
        self.assertEqual((self.dir / "whole" / "margins.npy").stat().st_size, 128 + 6 * 20 * 4)
        self.assertIn("6 models, 0 of them trained now", self.fleet("whole").out)
        self.fleet("alone", "-j1")
        self.same_fleets("whole", "alone")
        script = pathlib.Path(__file__).resolve().parent.parent / "examples" / "slurm" / "fleet.sbatch"
        work = dict(PLAIN, ASSAY=str(ASSAY), DATA=str(self.beton), OUT=str(self.dir / "parts"))
        for task in ("3", "1", "2", None):  # the last one gathers
            array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "3"} if task else {}
            done = subprocess.run([script, "--models=6", "--seeds=2", "--epochs=1"], env={**work, **array},
                                  capture_output=True, timeout=240)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.same_fleets("whole", "parts")
        failed = self.fleet("failed", "--sweep=lr=0.01,1000", "--models=4", "--epochs=20", "--json", code=3)
        document = json.loads(failed.out)
        self.assertIn("model 1 (subset 0, seed 0, lr=1000)", str(document["error"]))
        self.assertIn("--shard", self.fleet("x", "--shard=4/3", code=2).err)
        self.assertIn("multiple of 2", self.fleet("x", "--models=5", code=2).err)
        self.assertIn("margins", self.fleet("x", "--outputs=tea", code=2).err)
        self.assertIn("mlp-128-64", self.fleet("x", "--model=mlp-99999999", code=2).err)

    def test_fleet_interrupted(self):
        words = ("--models=12", "--model=mlp-64", "--epochs=60")
        process = subprocess.Popen([ASSAY, "fleet", self.beton, "-o", self.dir / "got", *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=PLAIN)
        while b"training" not in process.stderr.readline():
            pass
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 130))
        for out in ("got", "want"):
            self.good("fleet", self.beton, "-o", self.dir / out, *words)
        self.same_fleets("got", "want")

    def test_fleet_full_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "assay-test", disk],
                          capture_output=True).returncode != 0:
            self.skipTest("a small disk can't be mounted here")
        try:
            words = ("fleet", self.beton, "-o", disk / "f", "--model=mlp-64", "--epochs=1", "--models=40",
                     "--outputs=margins,correct", "--keep-models")
            done = self.refused(4, *words)
            kept = len(list((disk / "f" / "models").iterdir()))
            self.assertTrue(0 < kept < 40, done.err)
            shutil.rmtree(disk / "f" / "models")
            document = json.loads(self.good(*(w for w in words if w != "--keep-models"), "--json").out)
            self.assertEqual(document["models"], 40)
            self.assertLess(document["trained"], 40)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_audit(self):
        out = self.dir / "toy.assay"
        plan = self.good("audit", self.shared / "toy", "-n", "-o", out).out
        self.assertIn("would train 6 models", plan)
        self.assertFalse(out.exists())
        words = ("audit", self.shared / "toy", "--members=3", *self.small)
        first = self.good(*words, "-o", out, "-j1", "--json")
        document = json.loads(first.out)
        self.assertEqual(document, json.loads((out / "audit.json").read_text()))
        for name in ("schema", "dataset", "accuracy", "counts"):
            self.assertIn(name, document)
        made = ("audit.html", "audit.json", "issues.csv", "issues.jsonl", "influence.csv",
                "exclude.txt")
        for name in made:
            self.assertTrue((out / name).exists(), name)
        again = self.dir / "again.assay"
        second = self.good(*words, "-o", again, "-j2", "--progress=none")
        self.assertTrue(second.out.endswith("again.assay/audit.html\n"))
        self.assertEqual(second.err, "")
        for name in made:
            self.assertEqual((out / name).read_bytes(), (again / name).read_bytes(), name)
        why = json.loads(self.good("why", self.shared / "toy", "--test=3", "-o", out,
                                   "--json").out)
        self.assertEqual(why["test"], 3)
        self.assertIn("test row 3 (", self.good("why", self.shared / "toy", "--test=3", "-o",
                                               out).out)
        self.refused(2, "why", self.shared / "toy", "--test=20", "-o", out)

    def test_audit_refuses(self):
        (self.dir / "empty").mkdir()
        png(self.dir / "one" / "class" / "1.png", 8, lambda y, x: (1, 2, 3))
        out = self.dir / "out.assay"
        for source in ("empty", "one"):
            self.refused(3, "audit", self.dir / source, "-o", out, "--progress=none")
        self.refused(2, "audit", self.dir / "absent", "-o", out)
        self.refused(2, "audit", self.shared / "toy", "-o", out, "--plant=faults:3")
        self.refused(2, "audit", self.shared / "toy", "-o", out, "--members=7")
        self.refused(3, "audit", self.shared / "toy", "-o", out, "--from=idx")
        self.assertFalse(out.exists())
        self.refused(2, "audit", self.shared / "toy", "-o", "/proc/out")

    def test_progress_on_a_pipe(self):
        done = self.trained("--progress=auto")[1]
        self.assertNotIn("\r", done.err)
        self.assertNotIn("\x1b", done.err)
        lines = done.err.splitlines()
        self.assertTrue(any("training" in line for line in lines), done.err)
        self.assertEqual(len(lines), len(set(lines)), "one line for each phase")

    def on_terminal(self, *words, interrupt=False, env=None):
        """Runs on a pseudo-terminal; returns (exit code, standard output, what stood on it)."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([ASSAY, *map(str, words)], stdout=subprocess.PIPE,
                                   stderr=theirs, stdin=subprocess.DEVNULL,
                                   env={**PLAIN, "TERM": "xterm", **(env or {})})
        os.close(theirs)
        seen, end = b"", time.monotonic() + 200
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other side has closed
                    break
                if not part:
                    break
                seen += part
            if interrupt and b"training" in seen:
                process.send_signal(signal.SIGINT)
                interrupt = False
        out = process.stdout.read()
        process.stdout.close()
        os.close(ours)
        return process.wait(60), out.decode(), seen.decode()

    def test_progress_on_a_terminal(self):
        out = self.dir / "run"
        code, result, seen = self.on_terminal("train", self.beton, "-o", out, *self.small)
        self.assertEqual(code, 0, seen)
        self.assertRegex(seen, r"\r[^\r\n]*training[^\r\n]*\x1b\[K\r")
        self.assertTrue(seen.endswith("\r\x1b[K"), "the line is taken away")
        self.assertIn("test accuracy", result)
        code, _, seen = self.on_terminal("train", self.beton, "-o", self.dir / "b", *self.small,
                                         env={"TERM": "dumb"})
        self.assertEqual(code, 0, seen)
        self.assertNotIn("\x1b", seen)

    def test_interrupted(self):
        out = self.dir / "it's a run"
        words = ("train", self.beton, "-o", out, "--epochs=60", "--batch=8")
        code, result, seen = self.on_terminal(*words, interrupt=True)
        self.assertEqual(code, 130, seen)
        self.assertEqual(result, "")
        self.assertIn("interrupted; what was finished is kept", seen)
        command = re.search("to continue: assay (.*?)\r?\n", seen)[1]
        done = subprocess.run(["sh", "-c", f"'{ASSAY}' {command} --json"], env=PLAIN,
                              capture_output=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        undisturbed = self.dir / "undisturbed"
        self.good("train", self.beton, "-o", undisturbed, "--epochs=60", "--batch=8")
        self.assertEqual((out / "model.safetensors").read_bytes(),
                         (undisturbed / "model.safetensors").read_bytes())

    def test_interrupted_twice(self):
        process = subprocess.Popen([ASSAY, "train", self.beton, "-o", self.dir / "run",
                                    "--epochs=5000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=PLAIN)
        while b"training" not in process.stderr.readline():
            pass
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (130, b""))


class Models(Case):
    def setUp(self):
        super().setUp()
        self.model = self.dir / "m.onnx"
        self.x = self.dir / "x.npy"
        npy(self.x, [[-1, 2, -3], [4, -5, 6]])

    def test_infer(self):
        y = self.dir / "y.npy"
        self.model.write_bytes(onnx(("Relu", ["x"], ["y"])))
        done = self.good("infer", self.model, self.x, "-o", y)
        self.assertIn("f32 [2, 3]", done.out)
        self.assertEqual(npy_floats(y), (0, 2, 0, 4, 0, 6))
        self.assertIn("--force", self.refused(2, "infer", self.model, self.x, "-o", y).err)
        done = self.good("infer", self.model, self.x, "-o", y, "-f", "--batch=1", "--json")
        document = json.loads(done.out)
        self.assertEqual(document["schema"], "assay.infer/1")
        self.assertEqual(document["outputs"][0]["shape"], [2, 3])
        self.assertEqual(npy_floats(y), (0, 2, 0, 4, 0, 6))

    def test_infer_outputs(self):
        self.model.write_bytes(onnx(("Relu", ["x"], ["y"]), ("Add", ["y", "x"], ["z"]),
                                    outputs=("y", "z")))
        self.good("infer", self.model, self.x, "-o", self.dir / "o.npy")
        self.assertEqual(npy_floats(self.dir / "o.0.npy"), (0, 2, 0, 4, 0, 6))
        self.assertEqual(npy_floats(self.dir / "o.1.npy"), (-1, 4, -3, 8, -5, 12))
        self.good("infer", self.model, self.x, "-o", self.dir / "z.npy", "--only=z")
        self.assertEqual(npy_floats(self.dir / "z.npy"), (-1, 4, -3, 8, -5, 12))
        done = self.refused(2, "infer", self.model, self.x, "-o", self.dir / "q", "--only=q")
        self.assertIn("it has y, z", done.err)

    def test_infer_unknown_weights(self):
        header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        weights = self.dir / "w.safetensors"
        weights.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        done = self.refused(3, "infer", weights, self.x, "-o", self.dir / "y.npy")
        self.assertIn("taef2-encoder", done.err)
        self.assertFalse((self.dir / "y.npy").exists())

    def test_infer_refuses(self):
        y = self.dir / "y.npy"
        self.model.write_bytes(onnx(("Relu", ["x"], ["y"])))
        done = self.refused(2, "infer", self.model, self.x, self.x, "-o", y)
        self.assertIn("'x' f32 [batch, 3]", done.err)
        npy(self.x, [[1, 2]])
        self.assertIn("[N,3]", self.refused(3, "infer", self.model, self.x, "-o", y).err)
        npy(self.x, [[1, 2, 3]], "<f8", "d")
        self.assertIn("f64", self.refused(3, "infer", self.model, self.x, "-o", y).err)
        npy(self.x, [[1, 2, 3]])
        self.model.write_bytes(onnx(("NoSuchOp", ["x"], ["y"])))
        done = self.refused(3, "infer", self.model, self.x, "-o", y)
        self.assertIn("NoSuchOp", done.err)
        self.model.write_bytes(onnx(("Relu", ["x"], ["y"]))[:-20])
        self.refused(3, "infer", self.model, self.x, "-o", y)
        self.refused(2, "infer", self.dir / "absent.onnx", self.x, "-o", y)
        self.assertFalse(y.exists())

    def test_onnx_test(self):
        def case(name, op, ins, want):
            data = self.dir / "tests" / name / "test_data_set_0"
            data.mkdir(parents=True)
            (data.parent / "model.onnx").write_bytes(onnx((op, ["x"], ["y"])))
            for file, values in (("input_0.pb", ins), ("output_0.pb", want)):
                (data / file).write_bytes(field(1, 1) + field(1, 3) + field(2, 1) +
                                          field(9, struct.pack("<3f", *values)))
        case("test_right", "Relu", (-1, 0, 2), (0, 0, 2))
        case("test_unknown", "NoSuchOp", (-1, 0, 2), (0, 0, 2))
        document = json.loads(self.good("onnx-test", self.dir / "tests", "--json").out)
        self.assertEqual((document["passed"], document["unsupported"], document["failed"]),
                         (1, {"NoSuchOp": 1}, []))
        case("test_wrong", "Relu", (-1, 0, 2), (0, 0, 3))
        document = json.loads(self.good("onnx-test", self.dir / "tests", "--json").out)
        self.assertEqual([f["test"] for f in document["failed"]], ["test_wrong"])
        self.assertIn("test_wrong", self.good("onnx-test", self.dir / "tests").out)
        self.refused(2, "onnx-test", self.dir)


if __name__ == "__main__":
    ASSAY = str(pathlib.Path(sys.argv[1]).resolve())
    MAN = pathlib.Path(sys.argv[2])
    VERBS = sorted(re.findall(r"^  ([\w-]+) ", run().out, re.M))
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
