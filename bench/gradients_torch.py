"""PyTorch's own error in f32, on the weights and data that bench/gradients left.

    build/release/bench/gradients DIR
    python3 bench/gradients_torch.py DIR > bench/gradients.json

f32_error: 2-norm of (f32 - f64) over that of f64, all parameters' gradients together, with
images channels-last; f32_error_rows: with images row by row. assay_error: ours against our
float64 reference. reference_error: that reference against PyTorch's f64. A sign at a ReLU or a
winner in a pooling that rounding turns makes the error of that seed large; the smooth twins
(GELU for ReLU, means for maxima) have none."""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

import torch_nets
from torch_safetensors import safetensors

def gradients(name, tensors, dtype, last=True):
    plain = name.removesuffix("-smooth")
    net, _ = torch_nets.build(plain)
    net = net if plain == name else torch_nets.smooth(net)
    state = {k[6:]: v for k, v in tensors.items() if k.startswith("param.")}
    lost = net.load_state_dict(state, strict=False)
    assert not lost.unexpected_keys, lost
    assert all("running" in k or "num_batches" in k for k in lost.missing_keys), lost
    net = net.to(dtype).train()
    x = tensors["input"]
    x = x.to(dtype) if x.is_floating_point() else x.long()
    if last and x.ndim == 4:
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    F.cross_entropy(net(x), tensors["labels"].long()).backward()
    return {k: p.grad.double() for k, p in net.named_parameters()}


def error(a, b):
    apart = sum(((a[k] - b[k]) ** 2).sum().item() for k in b)
    return (apart / sum((v ** 2).sum().item() for v in b.values())) ** 0.5


def short(x):
    return float(f"{x:.4g}")


def main():
    torch.set_num_threads(1)
    nets = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
        tensors, metadata = safetensors(path)
        name = path.stem.rpartition(".")[0]
        exact = gradients(name, tensors, torch.float64)
        ours = {k[5:]: v for k, v in tensors.items() if k.startswith("grad.")}
        f32, rows = (gradients(name, tensors, torch.float32, k) for k in (True, False))
        nets.setdefault(name, []).append({
            "seed": int(metadata["seed"]), "batch": int(metadata["batch"]),
            "f32_error": short(error(f32, exact)), "f32_error_rows": short(error(rows, exact)),
            "assay_error": float(metadata["error"]),
            "reference_error": short(error(ours, exact))})
    print(json.dumps({"torch": torch.__version__,
                      "capability": torch.backends.cpu.get_cpu_capability(),
                      "nets": nets}, indent=2))


main()
