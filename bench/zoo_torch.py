"""The zoo's models beside the same networks in PyTorch, on what bench/zoo left in DIR.

    build/release/bench/zoo DIR
    python3 bench/zoo_torch.py DIR

Loads our initial weights by name as a state_dict, runs the batch in training mode (which
moves the norms' statistics) and then evaluated, and prints the largest difference of the
logits, as a share of the largest logit, and the number of parameters on both sides."""
import pathlib
import sys

import torch

import torch_nets
from torch_safetensors import safetensors


def share(ours, theirs):
    theirs = theirs.detach().flatten()
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def compare(path):
    tensors, _ = safetensors(path)
    name, side = path.stem.rsplit(".", 1)
    side = int(side)
    channels, classes = 1 if side == 28 else 3, 1000 if side > 64 else 10
    zoo = {k: tensors.pop("zoo." + k) for k in ("input", "trained", "evaluated")}
    make = torch_nets.tokens_of(name)
    net = make() if make else torch_nets.zoo(name, side, channels, classes)
    lost = net.load_state_dict(tensors, strict=False)
    assert not lost.unexpected_keys, lost
    assert all(k.endswith("num_batches_tracked") for k in lost.missing_keys), lost
    x = zoo["input"].long() if make else zoo["input"].permute(0, 3, 1, 2)
    trained = share(zoo["trained"], net.train()(x))
    evaluated = share(zoo["evaluated"], net.eval()(x))
    fixed = {k for k in dict(net.named_parameters())
             if k == "whiten.weight" or (name == "airbench" and "norm" in k and "weight" in k)}
    count = sum(p.numel() for k, p in net.named_parameters() if k not in fixed)
    print(f"{name:14} {side or '':>3}  {count:9} parameters  {trained:8.1e} {evaluated:8.1e}",
          flush=True)
    return max(trained, evaluated)


def main():
    torch.set_num_threads(1)
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors"))
    with torch.no_grad():
        print("largest:", max(compare(p) for p in paths))


main()
