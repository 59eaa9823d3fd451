"""The numbers of PyTorch's that src/nn/state_dict_test.c and src/train/optimizers/*_test.c hold.

Run with a Python that has PyTorch and NumPy; prints C initialisers. Weights and inputs are
made by the same rule there and here: number(stream, i)."""
import numpy as np
import torch


def numbers(stream, shape):
    """Multiples of 2^-16 in [-1/2, 1/2): exact in f32, and the same in C."""
    n = int(np.prod(shape))
    i = np.arange(n, dtype=np.uint64) + np.uint64(1000 * stream + 1)
    word = (i * np.uint64(2654435761)) % np.uint64(1 << 32)
    return torch.tensor((word >> np.uint64(16)).astype(np.float64) / 65536 - 0.5,
                        dtype=torch.float32).reshape(shape)


def show(what, values):
    print(f"{what}: " + ", ".join(f"{v:.9g}" for v in values.flatten().tolist()))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, 1, 1, bias=False)
        self.bn = torch.nn.BatchNorm2d(3)
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


def state_dict(dtype):
    net = Net().eval()
    state = net.state_dict()
    stream = 0
    for name, tensor in state.items():
        if "num_batches" in name:
            continue
        value = numbers(stream, tuple(tensor.shape))
        if "running_var" in name:
            value = value + 1
        state[name] = value.to(dtype).float()
        stream += 1
    net.load_state_dict(state)
    show(f"outputs, {dtype}", net(numbers(90, (2, 2, 5, 4))).detach())


def adamw():
    w = [torch.nn.Parameter(numbers(0, (2, 3))), torch.nn.Parameter(numbers(1, (2,)))]
    optimizer = torch.optim.AdamW([{"params": w[:1], "weight_decay": 0.1},
                                   {"params": w[1:], "weight_decay": 0.0}],
                                  lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for step in range(20):
        for k, p in enumerate(w):
            p.grad = numbers(10 + 2 * step + k, tuple(p.shape))
        optimizer.step()
    show("adamw", torch.cat([p.detach().flatten() for p in w]))


def orthogonal(x, steps):
    """Jordan's iteration (kellerjordan.github.io/posts/muon), here in float64."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.size(0) > x.size(1)
    x = x / (x.norm() + 1e-7)
    x = x.T if tall else x
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


def muon(what, shapes, newton_steps, renorm, nesterov=True):
    """Matrices as torch.optim.Muon steps them (adjust_lr_fn "original", float64 instead of
    bfloat16), or as airbench94_muon.py does; the bias by torch.optim.SGD."""
    w = [numbers(k, shape).double() for k, shape in enumerate(shapes)]
    bias = torch.nn.Parameter(w[-1])
    sgd = torch.optim.SGD([bias], lr=0.05, momentum=0.9, nesterov=nesterov)
    v = [torch.zeros_like(m) for m in w]
    for step in range(6):
        g = [numbers(10 + 4 * step + k, shape).double() for k, shape in enumerate(shapes)]
        for k in range(len(w) - 1):
            rows = w[k].size(0)
            v[k] = 0.9 * v[k] + g[k]
            d = g[k] + 0.9 * v[k] if nesterov else v[k]
            d = orthogonal(d.reshape(rows, -1), newton_steps)
            ratio = d.size(0) / d.size(1)
            if renorm:
                w[k] = w[k] * rows**0.5 / w[k].norm()
            w[k] = w[k] * (1 - 0.05 * 0.1)
            w[k] = w[k] - 0.05 * (1 if renorm else max(1, ratio)**0.5) * d.reshape(shapes[k])
        bias.grad = g[-1]
        sgd.step()
    show(what, torch.cat([m.flatten() for m in w[:-1]] + [bias.detach()]))


torch.set_num_threads(1)
muon_shapes = [(2, 3), (4, 1, 1, 2), (2,)]
muon("muon, 5 steps", muon_shapes, 5, False)
muon("muon, 3 steps, renorm, no Nesterov", muon_shapes, 3, True, False)
for kind in (torch.float32, torch.float16, torch.bfloat16):
    state_dict(kind)
adamw()
