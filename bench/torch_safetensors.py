"""Reads a .safetensors file into tensors, without other packages."""
import json
import struct

import numpy as np
import torch

KINDS = {"F32": np.float32, "F64": np.float64, "I32": np.int32}


def safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        begin, end = (8 + length + o for o in t["data_offsets"])
        values = np.frombuffer(raw[begin:end], KINDS[t["dtype"]]).reshape(t["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata
