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


def resnet9(channels=3, classes=10):
    """FFCV's ResNet-9 for CIFAR-10."""
    return nn.Sequential(
        conv_bn(channels, 64), conv_bn(64, 128, 5, 2, 2),
        Residual(nn.Sequential(conv_bn(128, 128), conv_bn(128, 128))),
        conv_bn(128, 256), nn.MaxPool2d(2),
        Residual(nn.Sequential(conv_bn(256, 256), conv_bn(256, 256))),
        conv_bn(256, 128, 3, 1, 0), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(128, classes, bias=False), Mul())


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or i != o:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False),
                                            nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (self.downsample(x) if self.downsample else x))


class Bottleneck(nn.Module):
    def __init__(self, i, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(i, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), nn.BatchNorm2d(o)
        self.downsample = None
        if stride != 1 or i != o:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False),
                                            nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """torchvision's; up to 64 pixels a side the stem is 3x3 and does not pool."""

    def __init__(self, side, blocks, width=64, kind=Block, channels=3, classes=10):
        super().__init__()
        small = side <= 64
        self.conv1 = (nn.Conv2d(channels, width, 3, 1, 1, bias=False) if small else
                      nn.Conv2d(channels, width, 7, 2, 3, bias=False))
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        i, grow, self.stages = width, 4 if kind is Bottleneck else 1, len(blocks)
        for k, n in enumerate(blocks):
            layer = []
            for b in range(n):
                layer.append(kind(i, width << k, 2 if k and not b else 1))
                i = (width << k) * grow
            setattr(self, f"layer{k + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(i, classes)

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        for k in range(self.stages):
            x = getattr(self, f"layer{k + 1}")(x)
        return self.fc(x.mean((2, 3)))


class LeNet(nn.Module):
    """PyTorch's tutorial; images below 32 pixels are padded by two."""

    def __init__(self, side, channels, classes):
        super().__init__()
        pad = 0 if side >= 32 else 2
        self.conv1, self.conv2 = nn.Conv2d(channels, 6, 5, 1, pad), nn.Conv2d(6, 16, 5)
        left = ((side - 4 + 2 * pad) // 2 - 4) // 2
        self.fc1 = nn.Linear(16 * left * left, 120)
        self.fc2, self.fc3 = nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def conv_bn6(i, o, kernel=3, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups,
                                   bias=False), nn.BatchNorm2d(o), nn.ReLU6())


class Inverted(nn.Module):
    def __init__(self, i, o, stride, expand):
        super().__init__()
        wide = i * expand
        layers = [conv_bn6(i, wide, 1)] if expand != 1 else []
        self.conv = nn.Sequential(*layers, conv_bn6(wide, wide, 3, stride, wide),
                                  nn.Conv2d(wide, o, 1, bias=False), nn.BatchNorm2d(o))
        self.same = stride == 1 and i == o

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


class MobileNetV2(nn.Module):
    """torchvision's; up to 64 pixels a side two strides less."""

    def __init__(self, side, channels, classes):
        super().__init__()
        small = side <= 64
        features, i = [conv_bn6(channels, 32, 3, 1 if small else 2)], 32
        for t, c, n, s in ((1, 16, 1, 1), (6, 24, 2, 1 if small else 2), (6, 32, 3, 2),
                           (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for b in range(n):
                features.append(Inverted(i, c, 1 if b else s, t))
                i = c
        self.features = nn.Sequential(*features, conv_bn6(i, 1280, 1))
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class ViTBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attn = nn.ModuleDict(dict(qkv=nn.Linear(width, 3 * width),
                                       proj=nn.Linear(width, width)))
        self.mlp = nn.ModuleDict(dict(fc1=nn.Linear(width, 4 * width),
                                      fc2=nn.Linear(4 * width, width)))

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (self.attn["qkv"](self.norm1(x))
                   .view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4))
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.attn["proj"](y.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class ViT(nn.Module):
    """timm's vit_tiny, with patches by the image's size."""

    def __init__(self, side, channels, classes, width=192, layers=12, heads=3):
        super().__init__()
        patch = 4 if side <= 48 else 8 if side <= 112 else 16
        self.patch_embed = nn.ModuleDict(dict(proj=nn.Conv2d(channels, width, patch, patch)))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList([ViTBlock(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def dense_norm(i, o):
    return nn.ModuleDict(dict(dense=nn.Linear(i, o), LayerNorm=nn.LayerNorm(o, 1e-12)))


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention = nn.ModuleDict({
            "self": nn.ModuleDict({k: nn.Linear(width, width)
                                   for k in ("query", "key", "value")}),
            "output": dense_norm(width, width)})
        self.intermediate = nn.ModuleDict(dict(dense=nn.Linear(width, 4 * width)))
        self.output = dense_norm(4 * width, width)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (self.attention["self"][name](x).view(n, t, self.heads, -1).transpose(1, 2)
                   for name in ("query", "key", "value"))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, width)
        out = self.attention["output"]
        x = out["LayerNorm"](out["dense"](y) + x)
        y = self.output["dense"](F.gelu(self.intermediate["dense"](x)))
        return self.output["LayerNorm"](y + x)


class Bert(nn.Module):
    """Hugging Face's BertForSequenceClassification, without dropout and masks."""

    def __init__(self, vocabulary=65, context=128, classes=10, width=128, layers=2, heads=2):
        super().__init__()
        self.bert = nn.ModuleDict(dict(
            embeddings=nn.ModuleDict(dict(
                word_embeddings=nn.Embedding(vocabulary + 2, width),
                position_embeddings=nn.Embedding(context, width),
                token_type_embeddings=nn.Embedding(2, width),
                LayerNorm=nn.LayerNorm(width, 1e-12))),
            encoder=nn.ModuleDict(dict(
                layer=nn.ModuleList([BertLayer(width, heads) for _ in range(layers)]))),
            pooler=nn.ModuleDict(dict(dense=nn.Linear(width, width)))))
        self.classifier = nn.Linear(width, classes)

    def forward(self, tokens):
        e = self.bert["embeddings"]
        x = (e["word_embeddings"](tokens) + e["token_type_embeddings"].weight[0] +
             e["position_embeddings"].weight[:tokens.shape[1]])
        x = e["LayerNorm"](x)
        for layer in self.bert["encoder"]["layer"]:
            x = layer(x)
        return self.classifier(torch.tanh(self.bert["pooler"]["dense"](x[:, 0])))


class Group(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = (nn.BatchNorm2d(o, 1e-12, 0.4) for _ in range(2))

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    """Keller Jordan's airbench94, its pooling over all that is left."""

    def __init__(self, channels, classes):
        super().__init__()
        white = 8 * channels
        self.whiten = nn.Conv2d(channels, white, 2)
        self.layers = nn.Sequential(nn.GELU(), Group(white, 64), Group(64, 256),
                                    Group(256, 256), nn.AdaptiveMaxPool2d(1))
        self.head = nn.Linear(256, classes, bias=False)

    def forward(self, x):
        return self.head(self.layers(self.whiten(x)).flatten(1)) / 9


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


def tokens_of(name):
    """Models that read tokens; else None."""
    return {"gpt-tiny": lambda: GPT(), "gpt-small": lambda: GPT(width=384, layers=6, heads=6),
            "bert-tiny": lambda: Bert()}.get(name)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(3136, 10))


class ZooMLP(nn.Module):
    def __init__(self, side, channels, classes):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels * side * side, 128), nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class ZooCNN(nn.Module):
    """The zoo's cnn: above 40 pixels a side, convolutions of stride 2 come first."""

    def __init__(self, side, channels, classes):
        super().__init__()
        plan = []
        while side > 40:
            plan.append((16, 2, False))
            side = (side + 1) // 2
        plan += [(16, 1, True), (32, 1, False), (32, 1, True), (64, 1, False), (64, 1, False)]
        self.pools = [pool for _, _, pool in plan]
        i = channels
        for k, (o, stride, _) in enumerate(plan, 1):
            setattr(self, f"conv{k}", nn.Conv2d(i, o, 3, stride, 1, bias=False))
            setattr(self, f"bn{k}", nn.BatchNorm2d(o))
            i = o
        self.fc = nn.Linear(i, classes)

    def forward(self, x):
        for k, pool in enumerate(self.pools, 1):
            x = F.relu(getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x)))
            x = F.max_pool2d(x, 2) if pool else x
        return self.fc(x.mean((2, 3)))


def zoo(name, side, channels=3, classes=10):
    """A model of images of the zoo by its name there."""
    return {"resnet18": lambda: ResNet(side, (2, 2, 2, 2), 64, Block, channels, classes),
            "resnet50": lambda: ResNet(side, (3, 4, 6, 3), 64, Bottleneck, channels, classes),
            "resnet20": lambda: ResNet(32, (3, 3, 3), 16, Block, channels, classes),
            "resnet56": lambda: ResNet(32, (9, 9, 9), 16, Block, channels, classes),
            "lenet": lambda: LeNet(side, channels, classes),
            "mobilenet-v2": lambda: MobileNetV2(side, channels, classes),
            "vit-tiny": lambda: ViT(side, channels, classes),
            "airbench": lambda: Airbench(channels, classes),
            "resnet9": lambda: resnet9(channels, classes),
            "mlp": lambda: ZooMLP(side, channels, classes),
            "cnn": lambda: ZooCNN(side, channels, classes)}[name]()


def build(name, size=0):
    """A network and the shape of an example; the shape is None for tokens."""
    if name in ("mlp", "cnn"):
        return {"mlp": mlp, "cnn": cnn}[name](), (1, 28, 28)
    if name == "resnet9":
        return resnet9(), (3, 32, 32)
    if tokens_of(name):
        return tokens_of(name)(), None
    side = size or 32
    try:
        return zoo(name, side, 3, 1000 if side > 64 else 10), (3, side, side)
    except KeyError:
        raise SystemExit(f"there is no network {name!r}") from None


TWINS = {nn.ReLU: lambda m: nn.GELU(), nn.MaxPool2d: lambda m: nn.AvgPool2d(m.kernel_size),
         nn.AdaptiveMaxPool2d: lambda m: nn.AdaptiveAvgPool2d(m.output_size)}


def smooth(net):
    """GELU for ReLU, means for maxima (of pools without padding)."""
    for name, child in net.named_children():
        twin = TWINS.get(type(child))
        if twin:
            setattr(net, name, twin(child))
        else:
            smooth(child)
    return net


def channels_last(name):
    return name not in ("mlp", "cnn") and not tokens_of(name)
