"""The networks of the benchmark in torch, in torchvision's shapes with random weights."""
import torch
from torch import nn


def relu():
    return nn.ReLU(inplace=False)


def relu6():
    return nn.ReLU6(inplace=False)


def alexnet():
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), relu(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), relu(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), relu(), nn.Conv2d(384, 256, 3, padding=1), relu(),
        nn.Conv2d(256, 256, 3, padding=1), relu(), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(9216, 4096), relu(),
        nn.Linear(4096, 4096), relu(), nn.Linear(4096, 1000))


def vgg16():
    layers, channels = [], 3
    for block in ([64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3):
        for out in block:
            layers += [nn.Conv2d(channels, out, 3, padding=1), relu()]
            channels = out
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), relu(), nn.Linear(4096, 4096), relu(),
                         nn.Linear(4096, 1000))


class Residual(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), relu(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
        self.skip = nn.Sequential() if stride == 1 and channels == out else nn.Sequential(
            nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.end = relu()

    def forward(self, x):
        return self.end(self.main(x) + self.skip(x))


def resnet18():
    layers, channels = [], 64
    for out, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            layers.append(Residual(channels, out, stride))
            channels = out
    return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), relu(), nn.MaxPool2d(3, 2, 1),
                         *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class Fire(nn.Module):
    def __init__(self, channels, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, squeeze, 1), relu())
        self.narrow = nn.Sequential(nn.Conv2d(squeeze, expand, 1), relu())
        self.wide = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), relu())

    def forward(self, x):
        x = self.squeeze(x)
        return torch.cat([self.narrow(x), self.wide(x)], 1)


def squeezenet1_1():
    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), relu(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(), Fire(128, 32, 128),
        Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        nn.Conv2d(512, 1000, 1), relu(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Inverted(nn.Module):
    def __init__(self, channels, out, stride, expansion):
        super().__init__()
        hidden = channels * expansion
        grow = [] if expansion == 1 else [nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), relu6()]
        self.main = nn.Sequential(
            *grow, nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), relu6(),
            nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out))
        self.skip = stride == 1 and channels == out

    def forward(self, x):
        return self.main(x) + x if self.skip else self.main(x)


def mobilenet_v2():
    layers, channels = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), relu6()], 32
    for expansion, out, count, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                         (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            layers.append(Inverted(channels, out, first if i == 0 else 1, expansion))
            channels = out
    return nn.Sequential(*layers, nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), relu6(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def basic(channels, out, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), relu())


class Inception(nn.Module):
    def __init__(self, channels, one, three, five, pool):
        super().__init__()
        self.branches = nn.ModuleList([
            basic(channels, one, 1),
            nn.Sequential(basic(channels, three[0], 1), basic(three[0], three[1], 3)),
            nn.Sequential(basic(channels, five[0], 1), basic(five[0], five[1], 3)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), basic(channels, pool, 1))])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet():
    def pool(kernel=3):
        return nn.MaxPool2d(kernel, 2, ceil_mode=True)

    return nn.Sequential(
        basic(3, 64, 7, 2), pool(), basic(64, 64, 1), basic(64, 192, 3), pool(),
        Inception(192, 64, (96, 128), (16, 32), 32), Inception(256, 128, (128, 192), (32, 96), 64), pool(),
        Inception(480, 192, (96, 208), (16, 48), 64), Inception(512, 160, (112, 224), (24, 64), 64),
        Inception(512, 128, (128, 256), (24, 64), 64), Inception(512, 112, (144, 288), (32, 64), 64),
        Inception(528, 256, (160, 320), (32, 128), 128), pool(2),
        Inception(832, 256, (160, 320), (32, 128), 128), Inception(832, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


class Dense(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.main = nn.Sequential(
            nn.BatchNorm2d(channels), relu(), nn.Conv2d(channels, 128, 1, bias=False), nn.BatchNorm2d(128), relu(),
            nn.Conv2d(128, 32, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.cat([x, self.main(x)], 1)


def densenet121():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), relu(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for block, count in enumerate((6, 12, 24, 16)):
        for _ in range(count):
            layers.append(Dense(channels))
            channels += 32
        layers += [nn.BatchNorm2d(channels), relu()]
        if block < 3:
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


def build(name):
    """A network by name, ready for input gradients."""
    torch.manual_seed(1)
    nets = {"alexnet": alexnet, "vgg16": vgg16, "resnet18": resnet18, "squeezenet1_1": squeezenet1_1,
            "mobilenet_v2": mobilenet_v2, "densenet121": densenet121, "googlenet": googlenet}
    net = nets[name]().eval()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net
