"""Find out what a model is made of: fast loading and training on ordinary processors, and the
training examples behind every prediction.

Everything here is a thin face of the C library; no work is done in Python. Long calls release the
GIL and end soon after Ctrl-C; failures are exceptions (assay.Error) with the library's own words.
"""
from ._assay import (Array, Batch, Cancelled, Context, DiskFull, DTypeError, Error, FormatError,
                     InternalError, InvalidArgument, NotFound, NumericError, OutOfMemory, ReadError,
                     ShapeError, Unsupported, VersionError)
from ._assay import version as __version__
from ._attribution import (Attribution, attribute, attribution_methods, bench_attribute,
                           counterfactual, datamodels, lds, mislabels, mislabels_methods, score, trace,
                           trace_uses)
from ._dataset import Dataset, Field
from ._loader import Loader
from ._model import Model, Value
from ._work import (Audit, append, audit, audit_plan, evaluate, export, export_onnx, importers, index,
                    info, isa, merge, pack, peak_bytes, pipeline, select, settings, split, train,
                    transforms, verify, why, zoo)
from ._writer import Writer

__all__ = [
    "Array", "Attribution", "Audit", "Batch", "Cancelled", "Context", "DTypeError", "Dataset",
    "DiskFull", "Error", "Field", "FormatError", "InternalError", "InvalidArgument", "Loader",
    "Model", "NotFound", "NumericError", "OutOfMemory", "ReadError", "ShapeError", "Unsupported",
    "Value", "VersionError", "Writer", "__version__", "append", "attribute", "attribution_methods",
    "audit", "audit_plan", "bench_attribute", "counterfactual", "datamodels", "evaluate", "export",
    "export_onnx", "importers", "index", "info", "isa", "lds", "merge", "mislabels",
    "mislabels_methods", "pack", "peak_bytes", "pipeline", "score", "select", "settings", "split",
    "trace", "trace_uses", "train", "transforms", "verify", "why", "zoo"]
