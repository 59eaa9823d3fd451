"""The numbers of PyTorch's that src/nn/state_dict_test.c and src/train/optimizers/adamw_test.c hold.

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


torch.set_num_threads(1)
for kind in (torch.float32, torch.float16, torch.bfloat16):
    state_dict(kind)
adamw()
