"""gpt-tiny on a text file in PyTorch, by the recipe of `assay train TEXT --model gpt-tiny`:
bytes as tokens, the last tenth for validation, random windows of the rest, AdamW, a
linear warm-up and half a cosine to 0, gradients clipped to a norm of 1. Prints the loss of
the last steps and that of the whole validation part, in windows that do not overlap.

    python bench/gpt_torch.py TEXT [--steps 1960] [--seed 0] [--precision f32]
    python bench/gpt_torch.py TEXT --weights RUN/model.safetensors   # only measures
"""
import argparse
import contextlib
import json
import math
import time

import torch
import torch.nn.functional as F

from torch_nets import GPT


def rate(at, steps, peak, warmup):
    """In the middle of a step, as ours."""
    t, w = (at + 0.5) / steps, warmup / steps
    if t < w:
        return peak * t / w
    return peak * 0.5 * (1 + math.cos(math.pi * (t - w) / (1 - w)))


def build(vocabulary, context):
    """Initial weights from the distributions that ours come from."""
    net = GPT(vocabulary, context)
    for module in net.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.zeros_(module.bias)
        if isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, 0, 0.02)
    return net


def optimizer(net, decay):
    """Decay on matrices and tables, not on norms and biases."""
    many = [p for p in net.parameters() if p.dim() > 1]
    one = [p for p in net.parameters() if p.dim() == 1]
    return torch.optim.AdamW([{"params": many, "weight_decay": decay},
                              {"params": one, "weight_decay": 0.0}],
                             lr=1.0, betas=(0.9, 0.99), eps=1e-8)


def load(net, path):
    """Weights of a model that assay trained, under the same names."""
    with open(path, "rb") as f:
        data = f.read()
    begin = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:begin])
    head.pop("__metadata__")
    net.load_state_dict({
        name: torch.frombuffer(bytearray(data[begin + t["data_offsets"][0]:
                                              begin + t["data_offsets"][1]]),
                               dtype=torch.float32).view(t["shape"])
        for name, t in head.items()})


@torch.no_grad()
def validate(net, tokens, context, half):
    total, right, count = 0.0, 0, len(tokens) - 1
    for begin in range(0, count, context * 32):
        end = min(begin + context * 32, count)
        x, y = tokens[begin:end], tokens[begin + 1:end + 1]
        whole = len(x) // context * context
        for a, b in ((x[:whole].view(-1, context), y[:whole]),
                     (x[whole:].view(1, -1), y[whole:])):
            if b.numel():
                with half():
                    z = net(a)
                total += F.cross_entropy(z.float(), b, reduction="sum").item()
                right += (z.argmax(1) == b).sum().item()
    return total / count, right / count


def main():
    p = argparse.ArgumentParser()
    p.add_argument("text")
    p.add_argument("--steps", type=int, default=1960)
    p.add_argument("--warmup", type=int, default=98)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--context", type=int, default=128)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--weights")
    p.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    o = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    half = ((lambda: torch.autocast("cpu", dtype=torch.bfloat16))
            if o.precision == "bf16" else contextlib.nullcontext)
    with open(o.text, "rb") as f:
        text = f.read()
    number = {b: i for i, b in enumerate(sorted(set(text)))}
    tokens = torch.tensor([number[b] for b in text])
    held = len(tokens) // 10
    train, val = tokens[:-held], tokens[-held:]
    net = build(len(number), o.context)
    if o.weights:
        load(net, o.weights)
        loss, accuracy = validate(net, val, o.context, half)
        print(json.dumps({"val_loss": loss, "accuracy": accuracy}))
        return
    opt = optimizer(net, o.decay)
    began, losses = time.process_time(), []
    for step in range(o.steps):
        at = torch.randint(len(train) - o.context, (o.batch, 1))
        window = train[at + torch.arange(o.context + 1)]
        for group in opt.param_groups:
            group["lr"] = rate(step, o.steps, o.lr, o.warmup)
        with half():
            z = net(window[:, :-1])
        loss = F.cross_entropy(z.float(), window[:, 1:].reshape(-1))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        losses.append(loss.item())
        if (step + 1) % 200 == 0:
            print(f"step {step + 1}: loss {sum(losses[-200:]) / 200:.4f}, "
                  f"{time.process_time() - began:.0f} s of processor time", flush=True)
    seconds = time.process_time() - began
    loss, accuracy = validate(net, val, o.context, half)
    print(json.dumps({"val_loss": loss, "bits_per_byte": loss / math.log(2),
                      "accuracy": accuracy, "train_loss": sum(losses[-200:]) / 200,
                      "seed": o.seed, "precision": o.precision, "cpu_seconds": seconds}))


if __name__ == "__main__":
    main()
