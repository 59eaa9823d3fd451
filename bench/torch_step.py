"""A training step in PyTorch, as `assay bench step` measures one: forward, loss, backward,
SGD with Nesterov momentum and weight decay on random data that stays in place.

    python3 bench/torch_step.py --model resnet9 --batch 128 --precision bf16 -j 1

--precision bf16 is autocast; --mode compile is torch.compile; images of networks with 3
channels lie channels-last. One line of JSON."""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

import torch_nets


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="resnet9")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--size", type=int, default=0)
    p.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    p.add_argument("--mode", choices=("eager", "compile"), default="eager")
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("-j", dest="threads", type=int, default=1)
    return p.parse_args()


def data(o, net, shape):
    if shape is None:
        tokens = torch.randint(0, 65, (o.batch, 128))
        return net, tokens, torch.randint(0, 65, (o.batch * 128,))
    x, y = torch.randn(o.batch, *shape), torch.randint(0, 10, (o.batch,))
    if torch_nets.channels_last(o.model):
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    return net, x, y


def main():
    o = options()
    torch.set_num_threads(o.threads)
    net, x, y = data(o, *torch_nets.build(o.model, o.size))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, nesterov=True,
                                weight_decay=5e-4, foreach=True)
    run = torch.compile(net) if o.mode == "compile" else net

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.precision == "bf16"):
            loss = F.cross_entropy(run(x), y)
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    wall, cpu = [], []
    began = time.perf_counter()
    while time.perf_counter() - began < o.seconds or len(wall) < 5:
        a, b = time.perf_counter(), time.process_time()
        step()
        cpu.append(1e3 * (time.process_time() - b))
        wall.append(1e3 * (time.perf_counter() - a))
    print(json.dumps({"torch": torch.__version__, "model": o.model, "batch": o.batch,
                      "precision": o.precision, "mode": o.mode, "threads": o.threads,
                      "steps": len(wall), "ms_per_step": statistics.median(wall),
                      "cpu_ms_per_step": statistics.median(cpu)}))


main()
