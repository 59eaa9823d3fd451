"""Which training rows made a model say something, and how far to believe it. Questions go to the
C library without the GIL; its documents come back as dicts, scores as NumPy arrays."""
from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Mapping, Optional, Sequence, Union

from . import _assay
from ._types import ArrayLike, Path, Progress, given, text_paths

Context = Optional[_assay.Context]
Document = dict[str, Any]
Number = Union[float, str]  # or "auto"


class Attribution:
    """The training rows that help and harm each target most.

    targets: a list of dicts: row, id, class, margin (of a text: kind, text, ...), helpful, harmful;
    the last two are lists of dicts, strongest first: row, id, class, score (of datamodels: weight).
    scores: the array [rows, targets] of all scores, float32, where it was asked for, or None.
    document: all that the library said.
    """

    def __init__(self, document: Document, scores: Any, source: Optional[Path]) -> None:
        self.document, self.scores, self._source = document, scores, source

    @property
    def targets(self) -> list[Document]:
        """What was asked about, with the rows behind it."""
        targets: list[Document] = self.document["targets"]
        return targets

    def write_page(self, path: Path, *, context: Context = None) -> None:
        """Writes an HTML page without scripts that shows each target beside its rows; the data are
        read again for their pictures (page= of attribute() reads them once)."""
        if self._source is None:
            raise _assay.Unsupported("scores of features have no pictures")
        options = {"document": json.dumps(self.document), "path": path}
        _assay.attribution_page(self._source, options, context, None)

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        d = self.document
        return (f"assay.Attribution({d.get('method', d.get('fit', 'score'))}, {d['rows']} rows, "
                f"{len(self)} targets)")


class _Scores:
    """Where all scores go: nowhere, into a file that is then mapped, or through a temporary one
    into memory."""

    def __init__(self, wanted: Union[bool, Path]) -> None:
        self.numpy: Any = __import__("numpy") if wanted else None
        self.folder: Optional[tempfile.TemporaryDirectory[str]] = None
        self.path = None if isinstance(wanted, bool) else os.fsdecode(wanted)
        if wanted is True:
            self.folder = tempfile.TemporaryDirectory(prefix="assay-scores-")
            self.path = os.path.join(self.folder.name, "scores.npy")

    def __enter__(self) -> _Scores:
        return self

    def __exit__(self, *error: Any) -> None:
        if self.folder is not None:
            self.folder.cleanup()

    def read(self) -> Any:
        """The array, or None."""
        if self.path is None:
            return None
        return self.numpy.load(self.path, mmap_mode="r" if self.folder is None else None)


def _listed(values: Union[None, str, int, Sequence[Any]]) -> Optional[str]:
    """What the library reads with commas between."""
    if values is None or isinstance(values, str):
        return values
    if isinstance(values, int):
        return str(values)
    return ",".join(map(str, values))


def _several(texts: Union[None, str, Sequence[str]]) -> Optional[list[str]]:
    return [texts] if isinstance(texts, str) else None if texts is None else list(texts)


def _auto(value: Optional[Number]) -> Optional[float]:
    """"auto", which the library knows as a negative number."""
    if value == "auto":
        return -1.0
    if isinstance(value, str):
        raise _assay.InvalidArgument(f"{value!r} is neither a number nor 'auto'")
    return value


def _plain(name: str, value: Optional[float]) -> Optional[float]:
    if value is not None and not value >= 0:
        raise _assay.InvalidArgument(f"{name} is {value}; it must not be negative")
    return value


def _ridge(ridge: Optional[float], compat: Optional[str]) -> Optional[float]:
    """TRAK's authors have none unless it is given."""
    return 0.0 if ridge is None and compat == "traker" else ridge


class _Named:
    """Scores by name, as NAME=FILE; arrays become files for as long as the work lasts."""

    def __init__(self, scores: Optional[Mapping[str, Union[Path, ArrayLike]]]) -> None:
        self.scores = scores or {}
        self.folder = tempfile.TemporaryDirectory(prefix="assay-scores-")

    def __enter__(self) -> Optional[list[str]]:
        listed = []
        for i, (name, what) in enumerate(self.scores.items()):
            if not isinstance(what, (str, os.PathLike)):
                path = os.path.join(self.folder.name, f"{i}.npy")
                numpy = __import__("numpy")
                numpy.save(path, numpy.asarray(what))
                what = path
            listed.append(f"{name}={os.fsdecode(what)}")
        return listed or None

    def __exit__(self, *error: Any) -> None:
        self.folder.cleanup()


def _channels(numbers: Union[None, float, Sequence[float]]) -> Optional[str]:
    if numbers is None:
        return None
    several = (numbers,) if isinstance(numbers, (int, float)) else numbers
    return ",".join(repr(float(x)) for x in several)


def attribute(source: Path, *, method: Optional[str] = None, model: Optional[str] = None,
              models: Optional[int] = None, checkpoints: Union[None, Path, Sequence[Path]] = None,
              centre: Optional[str] = None, rows: Optional[int] = None,
              targets: Optional[int] = None, top: Optional[int] = None,
              epochs: Optional[int] = None, batch: Optional[int] = None,
              lr: Optional[float] = None, keep: Optional[Path] = None, dim: Optional[int] = None,
              damping: Optional[float] = None, ridge: Optional[float] = None,
              from_: Optional[float] = None, projector: Optional[str] = None,
              tracin_checkpoints: Optional[int] = None,
              passages: Union[None, str, Sequence[str]] = None, generate: Optional[int] = None,
              prompt: Optional[str] = None, temperature: Optional[float] = None,
              ask: Optional[str] = None, target_class: Union[None, str, int] = None,
              mean: Union[None, float, Sequence[float]] = None,
              std: Union[None, float, Sequence[float]] = None,
              shard: Optional[tuple[int, int]] = None,
              scores: Union[bool, Path] = False, csv: Optional[Path] = None,
              page: Optional[Path] = None, seed: Optional[int] = None, context: Context = None,
              progress: Optional[Progress] = None) -> Attribution:
    """The training rows that help and harm predictions on test rows (of a text: on passages), by one
    method of attribution_methods(), over models trained for the purpose or those of run folders and
    files (`checkpoints`; mean and std are for .onnx). Options as `assay attribute -h` says. shard: (3, 8)
    with `keep` makes features of that part of the rows, and names none.

    scores: True: all of them in memory, at .scores; a path: in that .npy, which .scores then maps.
    page: an HTML page of it, written while the data are open. Files that are there are replaced."""
    with _Scores(scores) as kept:
        options = given(method=method, model=model, models=models, centre=centre, rows=rows,
                        checkpoints=None if checkpoints is None else text_paths(checkpoints),
                        targets=targets, top=top, epochs=epochs, batch=batch, rate=lr, keep=keep,
                        dim=dim, damping=_plain("damping", damping), ridge=_plain("ridge", ridge),
                        projector=projector, tracin_checkpoints=tracin_checkpoints,
                        passages=_several(passages), generate=generate, prompt=prompt,
                        temperature=temperature, ask=ask, target_class=_listed(target_class),
                        mean=_channels(mean), std=_channels(std),
                        shard=shard and shard[0], shards=shard and shard[1],
                        scores=kept.path, csv=csv, page=page, seed=seed, **{"from": from_})
        found = json.loads(_assay.attribute(source, options, context, progress))
        return Attribution(found, kept.read(), source)


def datamodels(source: Path, *, model: Optional[str] = None, rows: Optional[int] = None,
               targets: Optional[int] = None, models: Optional[int] = None,
               share: Optional[float] = None, fit: Optional[str] = None,
               penalty: Optional[Number] = None, held_subsets: Optional[int] = None,
               held_seeds: Optional[int] = None, epochs: Optional[int] = None,
               batch: Optional[int] = None, lr: Optional[float] = None,
               keep: Optional[Path] = None, weights: Union[bool, Path] = False,
               csv: Optional[Path] = None, page: Optional[Path] = None, top: Optional[int] = None,
               seed: Optional[int] = None, context: Context = None,
               progress: Optional[Progress] = None) -> Attribution:
    """For each target a weight for each training row, fitted to the margins of many models trained on
    random subsets; judged on further subsets (in .document). Options as `assay datamodels -h` says;
    with `keep` the same call goes on after an interruption.

    weights: True: all of them in memory, at .scores; a path: in that .npy, which .scores then maps.
    page: as attribute() has it."""
    with _Scores(weights) as kept:
        options = given(model=model, rows=rows, targets=targets, models=models, share=share, fit=fit,
                        penalty=_auto(penalty), held_subsets=held_subsets, held_seeds=held_seeds,
                        epochs=epochs, batch=batch, rate=lr, keep=keep, weights=kept.path, csv=csv,
                        page=page, top=top, seed=seed)
        found = json.loads(_assay.datamodels(source, options, context, progress))
        return Attribution(found, kept.read(), source)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _models(what: Any) -> Optional[list[Any]]:
    """Of one model or of several, as a list."""
    return None if what is None else list(what) if isinstance(what, (list, tuple)) else [what]


def score(features: Union[None, Path, ArrayLike, Sequence[Any]] = None,
          targets: Union[None, Path, ArrayLike, Sequence[Any]] = None,
          weights: Union[None, Path, ArrayLike, Sequence[Any]] = None, *,
          traker: Optional[Path] = None, experiment: Optional[str] = None,
          ridge: Optional[float] = None, compat: Optional[str] = None, unweighed: bool = False,
          top: Optional[int] = None, scores: Union[bool, Path] = False, csv: Optional[Path] = None,
          memory: Optional[int] = None, context: Context = None,
          progress: Optional[Progress] = None) -> Attribution:
    """TRAK's scores from features that another program made, as PyTorch on a GPU.

    features: [rows, dim] of float16, float32 or float64; targets: [targets, dim]; weights: [rows], a
    row's 1 - p, or None. Each is an array (NumPy, PyTorch on the processor, ...), read where it lies
    if its elements follow each other and copied otherwise; or an .npy file; or a list of either, one
    for each model (all of one kind). Instead: traker, the save_dir of a TRAKer, and its `experiment`.
    ridge: over the mean diagonal; with compat="traker" as its authors' code has it: absolute, and 0
    unless given. scores: as attribute() has it. Don't write to the arrays meanwhile."""
    parts = [_models(part) for part in (features, targets, weights)]
    kinds = {_is_path(item) for part in parts for item in part or []}
    if len(kinds) > 1:
        raise _assay.InvalidArgument("features are files or arrays, not both; numpy.load(path, "
                                     "mmap_mode='r') makes an array of a file")
    arrays = tuple(parts) if kinds == {False} else None
    files: list[Any] = [None] * 3 if arrays else [p and text_paths(p) for p in parts]
    with _Scores(scores) as kept:
        options = given(features=files[0], targets=files[1], weights=files[2], traker=traker,
                        experiment=experiment, ridge=_ridge(ridge, compat), compat=compat,
                        unweighed=unweighed, top=top, scores=kept.path, csv=csv, memory=memory)
        found = json.loads(_assay.score(arrays, options, context, progress))
        return Attribution(found, kept.read(), None)


def lds(source: Path, *, protocol: Optional[str] = None,
        methods: Union[None, str, Sequence[str]] = None,
        models: Union[None, int, str, Sequence[int]] = None, centre: Optional[str] = None,
        truth_only: bool = False, keep: Optional[Path] = None, damping: Optional[Number] = None,
        ridge: Optional[Number] = None, threshold: Optional[Number] = None,
        from_: Optional[float] = None, dim: Optional[int] = None, projector: Optional[str] = None,
        unweighed: bool = False, compat: Optional[str] = None, precision: Optional[str] = None,
        tracin_checkpoints: Optional[int] = None, rounds: Optional[int] = None,
        scores: Optional[Mapping[str, Union[Path, ArrayLike]]] = None, seed: Optional[int] = None,
        context: Context = None, progress: Optional[Progress] = None) -> Document:
    """The linear datamodelling score of methods: how well sums of scores foretell the margins of
    models trained on random subsets, with the noise ceiling, intervals and cost. Options as
    `assay lds -h` says; damping, ridge and threshold may be "auto".

    methods: names, or one text with commas; models: sizes of ensembles. scores: further ones by name,
    float32 [rows, targets] of the protocol, as .npy files or arrays (which go through a temporary file)."""
    with _Named(scores) as listed:
        options = given(protocol=protocol, methods=_listed(methods), models=_listed(models),
                        centre=centre, truth_only=truth_only, keep=keep, damping=_auto(damping),
                        ridge=_ridge(_auto(ridge), compat), threshold=_auto(threshold), dim=dim,
                        projector=projector, unweighed=unweighed, compat=compat, seed=seed,
                        precision=precision, tracin_checkpoints=tracin_checkpoints, rounds=rounds,
                        scores=listed, **{"from": from_})
        found: Document = json.loads(_assay.lds(source, options, context, progress))
    return found


def counterfactual(source: Path, *, protocol: Optional[str] = None,
                   methods: Union[None, str, Sequence[str]] = None,
                   removals: Union[None, int, str, Sequence[int]] = None,
                   models: Optional[int] = None, seeds: Optional[int] = None,
                   targets: Optional[int] = None, until_flipped: bool = False,
                   scores: Optional[Mapping[str, Union[Path, ArrayLike]]] = None,
                   damping: Optional[float] = None, ridge: Optional[float] = None,
                   from_: Optional[float] = None, dim: Optional[int] = None,
                   projector: Optional[str] = None, tracin_checkpoints: Optional[int] = None,
                   keep: Optional[Path] = None, csv: Optional[Path] = None,
                   rounds: Optional[int] = None, seed: Optional[int] = None,
                   context: Context = None, progress: Optional[Progress] = None) -> Document:
    """Removes the rows that methods, or `scores` (as in lds()), name as most helpful, trains again, and
    tells measured and predicted changes and how many predictions flip. Options as
    `assay counterfactual -h` says; with `keep` the same call goes on after an interruption."""
    with _Named(scores) as listed:
        options = given(protocol=protocol, methods=_listed(methods), removals=_listed(removals),
                        models=models, seeds=seeds, targets=targets, until_flipped=until_flipped,
                        damping=_plain("damping", damping), ridge=_plain("ridge", ridge), dim=dim,
                        projector=projector, tracin_checkpoints=tracin_checkpoints, keep=keep,
                        csv=csv, rounds=rounds, seed=seed, scores=listed, **{"from": from_})
        found: Document = json.loads(_assay.counterfactual(source, options, context, progress))
    return found


def mislabels(source: Path, *, methods: Union[None, str, Sequence[str]] = None,
              model: Optional[str] = None, members: Optional[int] = None,
              epochs: Optional[int] = None, rows: Optional[int] = None,
              tests: Optional[int] = None, flip: Optional[float] = None, top: Optional[int] = None,
              dim: Optional[int] = None, damping: Optional[float] = None,
              ridge: Optional[float] = None, rounds: Optional[int] = None,
              csv: Optional[Path] = None, seed: Optional[int] = None, context: Context = None,
              progress: Optional[Progress] = None) -> Document:
    """Training rows ranked by how likely their labels are wrong, by methods of mislabels_methods(); the
    first ranks. flip: the share of labels (0 to 0.5) spoiled first, to see how many each method finds.
    Options as `assay mislabels -h` says."""
    options = given(methods=_listed(methods), model=model, members=members, epochs=epochs, rows=rows,
                    tests=tests, flip=flip, top=top, dim=dim, damping=_plain("damping", damping),
                    ridge=_plain("ridge", ridge), rounds=rounds, csv=csv, seed=seed)
    found: Document = json.loads(_assay.mislabels(source, options, context, progress))
    return found


def trace(source: Path, use: str, scores: Union[Path, ArrayLike], *,
          against: Union[None, Path, ArrayLike] = None, count: Optional[int] = None,
          how: Optional[str] = None, dim: Optional[int] = None, threshold: Optional[float] = None,
          top: Optional[int] = None, csv: Optional[Path] = None, list: Optional[Path] = None,
          seed: Optional[int] = None, context: Context = None,
          progress: Optional[Progress] = None) -> Document:
    """What a table of scores [rows, targets] is good for: one of trace_uses(), "leaks", "select",
    "clusters", "compare". The tables are .npy files or arrays (which go through a temporary file).
    Options as `assay trace -h` says."""
    tables = {"scores": scores, **({} if against is None else {"against": against})}
    with _Named(tables) as listed:
        files = dict(entry.split("=", 1) for entry in listed or [])
        options = given(use=use, count=count, how=how, dim=dim, threshold=threshold, top=top, csv=csv,
                        list=list, seed=seed, **files)
        found: Document = json.loads(_assay.trace(source, options, context, progress))
    return found


def bench_attribute(*, model: Optional[str] = None, projector: Optional[str] = None,
                    dim: Optional[int] = None, size: Optional[int] = None,
                    precision: Optional[str] = None, seconds: Optional[float] = None,
                    seed: Optional[int] = None, context: Context = None,
                    progress: Optional[Progress] = None) -> Document:
    """What an example's projected gradient costs on random data: time by parts."""
    options = given(model=model, projector=projector, dim=dim, size=size, precision=precision,
                    seconds=seconds, seed=seed)
    found: Document = json.loads(_assay.bench_attribute(None, options, context, progress))
    return found


def attribution_methods() -> dict[str, str]:
    """Methods of attribute(), lds() and counterfactual(): {name: what it is}."""
    return _assay.attribution_methods()


def trace_uses() -> dict[str, str]:
    """Uses of trace(): {name: what it is}."""
    return _assay.trace_uses()


def mislabels_methods() -> dict[str, str]:
    """Methods of mislabels(): {name: what it is}."""
    return _assay.mislabels_methods()
