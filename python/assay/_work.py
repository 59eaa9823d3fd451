"""Work over whole files: packing, editing, training, auditing. Each call runs in the C library
without the GIL, tells progress, and ends soon after Ctrl-C with what was finished kept."""
from __future__ import annotations

import json
import os
from typing import Any, NamedTuple, Mapping, Optional, Sequence, Union

from . import _assay
from ._types import Path, Progress, given

Context = Optional[_assay.Context]


def _named(name: str, values: dict[str, Any]) -> Any:
    """A result's numbers as a named tuple."""
    made = NamedTuple(name, [(k, Any) for k in values])  # type: ignore[misc]
    made.__module__ = "assay"
    return made(**values)


# ---- data

def pack(source: Path, out: Path, *, from_: Optional[str] = None, split: Optional[str] = None,
         mode: Optional[str] = None, quality: Optional[int] = None,
         max_resolution: Optional[int] = None, page_size: Optional[int] = None,
         limit: Optional[int] = None, force: bool = False, skip_corrupt: bool = False,
         smart_threshold: Optional[int] = None, proportion: Optional[float] = None,
         seed: Optional[int] = None, shuffle: bool = False, rows: Optional[str] = None,
         index_interval: Optional[int] = None, context: Context = None,
         progress: Optional[Progress] = None) -> Any:
    """Imports a folder of images, idx, CIFAR, CSV, tar shards, .npy... (assay.importers()) and writes
    a .beton. Options as `assay pack -h` says. Returns rows, train_rows, test_rows, skipped, bytes,
    classes, importer, sha256."""
    options = given(split=split, mode=mode, quality=quality, max_resolution=max_resolution,
                    page_size=page_size, limit=limit, force=force, skip_corrupt=skip_corrupt,
                    smart_threshold=smart_threshold, proportion=proportion, seed=seed,
                    shuffle=shuffle, rows=rows, index_interval=index_interval)
    options.update({"from": from_} if from_ is not None else {})
    return _named("Packed", _assay.pack(source, out, options, context, progress))


def info(path: Path) -> dict[str, Any]:
    """What a .beton holds: fields, samples, classes, splits, sha256, provenance."""
    found: dict[str, Any] = json.loads(_assay.info(path, None, None, None, None))
    return found


def verify(path: Path, *, quick: bool = False, context: Context = None,
           progress: Optional[Progress] = None) -> dict[str, Any]:
    """Checks structure, every payload (images are decoded unless `quick`) and checksums: a dict with
    samples, count, problems [{sample, field, what, where}]. Damage does not raise; it is listed."""
    found: dict[str, Any] = json.loads(
        _assay.verify(path, None, {"quick": quick}, context, progress))
    return found


def index(path: Path, output: Optional[Path] = None, *, interval: Optional[int] = None,
          field: Optional[str] = None, force: bool = False, context: Context = None,
          progress: Optional[Progress] = None) -> Any:
    """Writes the JPEG index of a .beton beside it, with which crops decode faster. Returns images,
    indexed, left, raw, bytes, file_bytes, interval."""
    options = given(output=output, interval=interval, field=field, force=force)
    return _named("Indexed", _assay.index(path, None, options, context, progress))


def export(path: Path, out: Path, *, to: Optional[str] = None, split: Optional[str] = None,
           limit: Optional[int] = None, shard_bytes: Optional[int] = None,
           shard_rows: Optional[int] = None, force: bool = False, context: Context = None,
           progress: Optional[Progress] = None) -> Any:
    """Writes what a .beton holds as a folder of images ("folder") or tar shards ("webdataset").
    Returns rows, files, bytes."""
    options = given(to=to, split=split, limit=limit, shard_bytes=shard_bytes, shard_rows=shard_rows,
                    force=force)
    return _named("Exported", _assay.export(path, out, options, context, progress))


def merge(paths: Sequence[Path], out: Path, *, page_size: Optional[int] = None, force: bool = False,
          context: Context = None, progress: Optional[Progress] = None) -> Any:
    """One file of the rows of several with equal fields; nothing is encoded anew. Returns rows,
    train_rows, bytes, classes, sha256."""
    options = given(page_size=page_size, force=force)
    return _named("Edited", _assay.merge([os.fsdecode(p) for p in paths], out, options, context,
                                         progress))


def append(path: Path, more: Path, out: Optional[Path] = None, *, page_size: Optional[int] = None,
           force: bool = False, context: Context = None,
           progress: Optional[Progress] = None) -> Any:
    """Merges `more` behind `path`; without `out`, `path` itself is replaced once all is written."""
    options = given(page_size=page_size, force=force)
    return _named("Edited", _assay.append(path, more, out, options, context, progress))


def _ranges(rows: Union[Path, Sequence[int], range, None]) -> Optional[str]:
    """Rows as the library reads them: ranges and files stay, numbers are joined."""
    if rows is None or isinstance(rows, str):
        return rows
    if isinstance(rows, os.PathLike):
        return os.fsdecode(rows)
    if isinstance(rows, range) and rows.step == 1:
        return f"{rows.start}:{rows.stop}"
    return ",".join(str(int(i)) for i in rows)


def select(path: Path, out: Path, *, rows: Union[Path, Sequence[int], None] = None,
           exclude: Union[Path, Sequence[int], None] = None, split: Optional[str] = None,
           classes: Optional[Sequence[str]] = None, page_size: Optional[int] = None,
           force: bool = False, context: Context = None,
           progress: Optional[Progress] = None) -> Any:
    """A file of some rows, in their order: "0:1000,5000:", numbers, or a file with a number on each
    line; the same for those to leave out (an audit's exclude.txt will do). Returns as merge."""
    options = given(rows=_ranges(rows), exclude=_ranges(exclude), split=split, classes=classes,
                    page_size=page_size, force=force)
    return _named("Edited", _assay.select(path, out, options, context, progress))


def split(path: Path, out: Path, *, shards: Optional[int] = None, fraction: Optional[float] = None,
          by_split: bool = False, seed: Optional[int] = None, page_size: Optional[int] = None,
          force: bool = False, context: Context = None,
          progress: Optional[Progress] = None) -> int:
    """Several files of one: `shards` of equal size, or two by `fraction`, or one for each split.
    Returns how many were written: out-0.beton, ... or out-train.beton, ..."""
    options = given(shards=shards, fraction=fraction, by_split=by_split, seed=seed,
                    page_size=page_size, force=force)
    return int(_assay.split(path, out, options, context, progress)["files"])


# ---- models

def train(source: Path, out: Path, *, model: Optional[str] = None, size: Optional[int] = None,
          epochs: Optional[int] = None, batch: Optional[int] = None, lr: Optional[float] = None,
          momentum: Optional[float] = None, weight_decay: Optional[float] = None,
          label_smoothing: Optional[float] = None, schedule: Optional[str] = None,
          flip: Optional[bool] = None, translate: Optional[int] = None, seed: Optional[int] = None,
          members: Optional[int] = None, exclude: Optional[Path] = None,
          precision: Optional[str] = None, no_resume: bool = False, limit: Optional[int] = None,
          init: Optional[Path] = None, settings: Optional[Mapping[str, Any]] = None,
          context: Context = None, progress: Optional[Progress] = None, **more: Any) -> Any:
    """Trains a model of the zoo (assay.zoo()) on a .beton or a source, into the folder `out`:
    model.safetensors, metrics.jsonl, run.json. Interrupted at any moment, the same call continues.

    What is not given is the recipe's. Further settings (assay.settings()) go by their names, `-` as `_`,
    or in the mapping `settings`: {"context": 64} is the model of text's, `context` the library's. Returns accuracy, accuracy_single, loss, seconds, cpu_seconds, gflop, members, train_rows,
    test_rows, excluded, parameters; of a text also train_tokens, test_tokens, bits_per_byte. `init`:
    weights to start from, .safetensors or .onnx. assay.Model(out + "/model.safetensors") runs the result."""
    words = " ".join(f"{name}={_setting(value)}" for name, value in {**(settings or {}), **more}.items())
    options = given(model=model, size=size, epochs=epochs, batch=batch, lr=lr, momentum=momentum,
                    weight_decay=weight_decay, label_smoothing=label_smoothing, schedule=schedule,
                    flip=flip, translate=translate, seed=seed, members=members, exclude=exclude,
                    precision=precision, no_resume=no_resume, limit=limit, init=init, settings=words or None)
    return _named("Trained", _assay.train(source, out, options, context, progress))


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return ";".join(map(str, value))
    return str(value)


def evaluate(model: Path, source: Path, *, split: Optional[str] = None, context: Context = None,
             progress: Optional[Progress] = None) -> Any:
    """How good a model file, or a run folder (its members averaged), is on a split ("test", "train",
    "all"). Returns accuracy, loss, rows, members."""
    return _named("Evaluated", _assay.eval(model, source, given(split=split), context, progress))


def export_onnx(model: Path, out: Path, *, context: Context = None) -> None:
    """Writes a model that assay.train made as ONNX: pixels from 0 to 1 in, logits out."""
    _assay.export_onnx(model, out, None, context, None)


# ---- audits

class Audit:
    """What an audit found.

    counts: label, leakage, copy_exact, copy_near, corrupt, rows, ..., accuracy_ensemble.
    findings: audit.json as a dict. answer: a few plain lines. folder: where audit.html lies.
    """

    def __init__(self, folder: str, counts: dict[str, Any], findings: dict[str, Any],
                 answer: str) -> None:
        self.folder, self.counts, self.findings, self.answer = folder, counts, findings, answer

    @property
    def page(self) -> str:
        """The page to open in a browser."""
        return os.path.join(self.folder, "audit.html")

    @property
    def exclude(self) -> str:
        """The list of rows to leave out, for train(exclude=...) and select(exclude=...)."""
        return os.path.join(self.folder, "exclude.txt")

    def __str__(self) -> str:
        return self.answer

    def __repr__(self) -> str:
        c = self.counts
        return (f"assay.Audit({self.folder!r}, {c['rows']} rows: {c['label']} label, {c['leakage']} "
                f"leakage, {c['copy_exact'] + c['copy_near']} copy findings)")


def _audit_options(members: Optional[int], seed: Optional[int], model: Optional[str],
                   train_size: Optional[int], epochs: Optional[int], batch: Optional[int],
                   lr: Optional[float], flip: Optional[bool], translate: Optional[int],
                   sketch: Optional[int], ridge: Optional[float], pred_probs: Optional[Path],
                   plant: Optional[Sequence[str]], exclude: Optional[Path], from_: Optional[str],
                   limit: Optional[int], self_test: bool, resume: bool,
                   force: bool) -> dict[str, Any]:
    options = given(members=members, seed=seed, model=model, train_size=train_size, epochs=epochs,
                    batch=batch, lr=lr, flip=flip, translate=translate, sketch=sketch, ridge=ridge,
                    pred_probs=pred_probs, plant=plant, exclude=exclude, limit=limit,
                    no_self_test=not self_test, no_resume=not resume, force=force)
    options.update({"from": from_} if from_ is not None else {})
    return options


def audit(source: Path, out: Path, *, members: Optional[int] = None, seed: Optional[int] = None,
          model: Optional[str] = None, train_size: Optional[int] = None,
          epochs: Optional[int] = None, batch: Optional[int] = None, lr: Optional[float] = None,
          flip: Optional[bool] = None, translate: Optional[int] = None,
          sketch: Optional[int] = None, ridge: Optional[float] = None,
          pred_probs: Optional[Path] = None, plant: Optional[Sequence[str]] = None,
          exclude: Optional[Path] = None, from_: Optional[str] = None, limit: Optional[int] = None,
          self_test: bool = True, resume: bool = True, force: bool = False,
          context: Context = None, progress: Optional[Progress] = None) -> Audit:
    """Which labels are wrong, which images are copies, which test images sit in training, and the
    training images behind the errors. Trains an ensemble on parts of the data; writes audit.html,
    audit.json, tables and exclude.txt into the folder `out`. Interrupted, the same call continues.
    Options as `assay audit -h` says."""
    options = _audit_options(members, seed, model, train_size, epochs, batch, lr, flip, translate,
                             sketch, ridge, pred_probs, plant, exclude, from_, limit, self_test,
                             resume, force)
    counts, found, answer = _assay.audit(source, out, options, context, progress)
    return Audit(os.fsdecode(out), counts, json.loads(found), answer)


def audit_plan(source: Path, *, members: Optional[int] = None, epochs: Optional[int] = None,
               train_size: Optional[int] = None, limit: Optional[int] = None,
               context: Context = None) -> Any:
    """What an audit would do, with nothing written: rows, classes, members, disk_bytes,
    memory_bytes, seconds_low, seconds_high, ..."""
    options = given(members=members, epochs=epochs, train_size=train_size, limit=limit)
    return _named("Plan", _assay.audit_plan(source, None, options, context, None))


def why(source: Path, out: Path, test: int, *, top: int = 10, context: Context = None,
        progress: Optional[Progress] = None, **options: Any) -> dict[str, Any]:
    """The training rows that pushed for and against the label of one test row, by the audit in the
    folder `out`; what is missing of it is run first, with the options of audit()."""
    found: dict[str, Any] = json.loads(
        _assay.why(source, out, given(**options), context, progress, test, top))
    return found


# ---- lists

def transforms() -> dict[str, str]:
    """Steps of pipelines: {name: what it does}. docs/transforms.md has their arguments."""
    return _assay.transforms()


def importers() -> dict[str, str]:
    """What pack() reads: {name: what it is}."""
    return _assay.importers()


def zoo() -> dict[str, str]:
    """The models that train() knows: {name: what it is}."""
    return _assay.zoo()


def settings() -> dict[str, str]:
    """What a training recipe can be told: {name: what it does}."""
    return _assay.settings()


def pipeline(name: str) -> str:
    """The text of a named pipeline: "rrc224-f32", "rrc224-u8", "cifar-f32", "cifar-u8"."""
    text = _assay.preset(name)
    if text is None:
        raise _assay.NotFound(f"no pipeline is called {name!r}")
    return text


def isa() -> str:
    """The instruction set in use: "none", "avx2", "avx512", "avx512v"; ASSAY_ISA lowers it."""
    return _assay.isa()


def peak_bytes() -> int:
    """Peak of this process's own memory, as far as it was sampled."""
    return _assay.peak_bytes()
