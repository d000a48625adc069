"""The ResNet of models/resnet.ts in PyTorch."""

from torch import nn
from torch.nn import functional as F


class Convolution(nn.Sequential):
    """Convolution without bias, and GroupNorm with groups of 16 channels."""

    def __init__(self, before, after, kernel, stride):
        super().__init__(
            nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.GroupNorm(after // 16, after)
        )


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = Convolution(before, after, 3, stride)
        self.conv2 = Convolution(after, after, 3, 1)
        self.shortcut = nn.Identity() if before == after else Convolution(before, after, 1, stride)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class ResNet(nn.Sequential):
    def __init__(self, width, blocks, classes):
        layers, before = [Convolution(3, width, 3, 1), nn.ReLU()], width
        for stage, count in enumerate(blocks):
            after = width * 2**stage
            for i in range(count):
                layers.append(Block(before, after, 2 if stage > 0 and i == 0 else 1))
                before = after
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))

    def loss(self, batch):
        return F.cross_entropy(self(batch["image"]), batch["label"])
