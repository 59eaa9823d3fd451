"""The networks of `assay bench step` in PyTorch, with the same names of parameters."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_bn(i, o, kernel=3, stride=1, padding=1):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, padding, bias=False),
                         nn.BatchNorm2d(o), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return x + self.module(x)


class Mul(nn.Module):
    def forward(self, x):
        return x * 0.2


def resnet9():
    """FFCV's ResNet-9 for CIFAR-10."""
    return nn.Sequential(
        conv_bn(3, 64), conv_bn(64, 128, 5, 2, 2),
        Residual(nn.Sequential(conv_bn(128, 128), conv_bn(128, 128))),
        conv_bn(128, 256), nn.MaxPool2d(2),
        Residual(nn.Sequential(conv_bn(256, 256), conv_bn(256, 256))),
        conv_bn(256, 128, 3, 1, 0), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(128, 10, bias=False), Mul())


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.downsample = None
        if stride != 1 or i != o:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False),
                                            nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet18(nn.Module):
    """torchvision's; up to 64 pixels a side the stem is 3x3 and does not pool."""

    def __init__(self, side):
        super().__init__()
        small = side <= 64
        self.conv1 = (nn.Conv2d(3, 64, 3, 1, 1, bias=False) if small else
                      nn.Conv2d(3, 64, 7, 2, 3, bias=False))
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        width = 64
        for k, (o, stride) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2))):
            setattr(self, f"layer{k + 1}",
                    nn.Sequential(Block(width, o, stride), Block(o, o, 1)))
            width = o
        self.fc = nn.Linear(512, 10 if small else 1000)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict(dict(c_attn=nn.Linear(width, 3 * width),
                                       c_proj=nn.Linear(width, width)))
        self.mlp = nn.ModuleDict(dict(c_fc=nn.Linear(width, 4 * width),
                                      c_proj=nn.Linear(4 * width, width)))

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (self.attn["c_attn"](self.ln_1(x))
                   .view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn["c_proj"](y.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary=65, context=128, width=128, layers=4, heads=4):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(vocabulary, width), wpe=nn.Embedding(context, width),
            h=nn.ModuleList([Layer(width, heads) for _ in range(layers)]),
            ln_f=nn.LayerNorm(width)))
        self.lm_head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        t = self.transformer
        x = t["wte"](tokens) + t["wpe"].weight[:tokens.shape[1]]
        for layer in t["h"]:
            x = layer(x)
        return self.lm_head(t["ln_f"](x)).flatten(0, 1)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(3136, 10))


def build(name, size=0):
    """A network and the shape of an example; the shape is None for tokens."""
    if name in ("mlp", "cnn"):
        return {"mlp": mlp, "cnn": cnn}[name](), (1, 28, 28)
    if name == "resnet9":
        return resnet9(), (3, 32, 32)
    if name == "resnet18":
        return ResNet18(size or 32), (3, size or 32, size or 32)
    if name == "gpt-tiny":
        return GPT(), None
    raise SystemExit(f"there is no network {name!r}")


def channels_last(name):
    return name.startswith("resnet")
