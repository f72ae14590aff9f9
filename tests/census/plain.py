"""Networks of one path: perceptrons, LeNets, VGGs, AlexNet and others."""

from torch import nn

from tests.census.parts import Net, conv, flat


def mlp(shape, *widths, norm=False, last=None):
    layers = [nn.Flatten()]
    features = shape[0] * shape[1] * shape[2]
    for width in widths[:-1]:
        layers += [nn.Linear(features, width), *([nn.BatchNorm1d(width)] if norm else []), nn.ReLU()]
        features = width
    layers += [nn.Linear(features, widths[-1]), *([last] if last else [])]
    return Net(shape, *layers)


def lenet5(activation, pool):
    return Net(
        (1, 28, 28),
        nn.Conv2d(1, 6, 5, padding=2),
        activation(),
        pool(2),
        nn.Conv2d(6, 16, 5),
        activation(),
        pool(2),
        flat(),
        nn.Linear(400, 120),
        activation(),
        nn.Linear(120, 84),
        activation(),
        nn.Linear(84, 10),
    )


def vgg(stages, norm=False, size=32):
    layers, channels = [], 3
    for widths in stages:
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width)] * norm + [nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    head = [nn.AdaptiveAvgPool2d((1, 1)), flat(), nn.Linear(channels, 32), nn.ReLU(True), nn.Dropout()]
    return Net((3, size, size), *layers, *head, nn.Linear(32, 10))


VGG = {
    "vgg11": [[8], [8], [16, 16], [16, 16], [16, 16]],
    "vgg13": [[8, 8], [8, 8], [16, 16], [16, 16], [16, 16]],
    "vgg16": [[8, 8], [8, 8], [16] * 3, [16] * 3, [16] * 3],
    "vgg19": [[8, 8], [8, 8], [16] * 4, [16] * 4, [16] * 4],
}


def alexnet(size=127):
    """As torchvision's, narrower: a kernel of 11×11 with a stride of 4, and overlapping pooling."""
    return Net(
        (3, size, size),
        *(nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(24, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.AdaptiveAvgPool2d(6 if size > 200 else 1), nn.Flatten(), nn.Dropout()),
        *(nn.Linear(16 * (36 if size > 200 else 1), 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10)),
    )


def cifar_quick():
    """Caffe's: maxima of 3×3, then means."""
    return Net(
        (3, 32, 32),
        *(nn.Conv2d(3, 8, 5, padding=2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU()),
        *(nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.AvgPool2d(3, 2, ceil_mode=True)),
        *(nn.Flatten(), nn.Linear(16 * 16, 16), nn.Linear(16, 10)),
    )


def all_cnn():
    """Springenberg's All-CNN-C: strides in place of pooling, a mean of maps at the end."""
    layers, channels = [], 3
    for out, kernel, stride, padding in [
        (8, 3, 1, 1),
        (8, 3, 1, 1),
        (8, 3, 2, 1),
        (16, 3, 1, 1),
        (16, 3, 1, 1),
        (16, 3, 2, 1),
        (16, 3, 1, 0),
        (16, 1, 1, 0),
        (10, 1, 1, 0),
    ]:
        layers += [nn.Conv2d(channels, out, kernel, stride, padding), nn.ReLU()]
        channels = out
    return Net((3, 32, 32), nn.Dropout(0.2), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def network_in_network():
    layers, channels = [], 3
    for first, others, pool in [
        (5, (8, 6), nn.MaxPool2d(2)),
        (5, (8, 8), nn.AvgPool2d(2)),
        (3, (8, 10), None),
    ]:
        layers += [nn.Conv2d(channels, 12, first, padding=first // 2), nn.ReLU()]
        channels = 12
        for out in others:
            layers += [nn.Conv2d(channels, out, 1), nn.ReLU()]
            channels = out
        layers += [pool, nn.Dropout()] if pool else []
    return Net((3, 32, 32), *layers, nn.AvgPool2d(8), nn.Flatten())


def finn_cnv():
    """FINN's CNV without its quantisers: no padding, two fully connected layers of 512."""
    layers, channels = [], 3
    for out, pool in [(8, 0), (8, 1), (16, 0), (16, 1), (24, 0), (24, 0)]:
        layers += [nn.Conv2d(channels, out, 3, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] * pool
        channels = out
    for features, out in [(24, 32), (32, 32)]:
        layers += [nn.Flatten(), nn.Linear(features, out, bias=False), nn.BatchNorm1d(out), nn.ReLU()]
    return Net((3, 32, 32), *layers, nn.Linear(32, 10, bias=False))


def svhn():
    """hls4ml's CNN for house numbers, with its norms and without padding."""
    layers, channels = [], 3
    for out in (16, 16, 24):
        layers += [nn.Conv2d(channels, out, 3, bias=False), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
        channels = out
    layers += [nn.Flatten()]
    for features, out in ((96, 42), (42, 64)):
        layers += [nn.Linear(features, out, bias=False), nn.BatchNorm1d(out), nn.ReLU()]
    return Net((3, 32, 32), *layers, nn.Linear(64, 10), nn.Softmax(1))


def stages(*widths, kernel=3, shape=(3, 32, 32)):
    """Convolution, norm, ReLU and pooling, as tutorials have them."""
    layers, channels = [], shape[0]
    for out in widths:
        layers += [*conv(channels, out, kernel), nn.MaxPool2d(2)]
        channels = out
    size = shape[1] >> len(widths)
    return Net(shape, *layers, nn.Flatten(), nn.Linear(channels * size**2, 10))


def autoencoder():
    """Convolutions down to a code, and a mirror of it on the host: its upsampling ends the part."""
    return Net(
        (1, 28, 28),
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1)),
        *(nn.ReLU(), nn.Conv2d(16, 8, 7)),
    )


def upsampling_autoencoder():
    return Net(
        (1, 28, 28),
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2, padding=1)),
        *(nn.ReLU(), nn.ConvTranspose2d(4, 8, 2, 2), nn.ReLU(), nn.ConvTranspose2d(8, 1, 2, 2), nn.Sigmoid()),
    )


def srcnn():
    """9×9 kernels: larger than a tile takes."""
    return Net(
        (1, 24, 24),
        *(nn.Conv2d(1, 8, 9, padding=4), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU()),
        nn.Conv2d(8, 1, 5, padding=2),
    )


def espcn():
    """Its pixel shuffle ends it: the host's."""
    return Net(
        (1, 24, 24),
        *(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(8, 4, 3, padding=1), nn.PixelShuffle(2)),
    )


def tiny_yolo():
    """Tiny-YOLOv2: leaky ReLU, 2×2 maxima of stride 2 and one of stride 1, a map out."""
    return yolo(lambda: nn.LeakyReLU(0.1), True)


def yolo(activation, last_pool=False):
    layers, channels = [], 3
    for number, out in enumerate((4, 8, 8, 12, 16, 16)):
        layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), activation()]
        if number < 5:
            layers.append(nn.MaxPool2d(2))
        elif last_pool:
            layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1)]
        channels = out
    return Net((3, 64, 64), *layers, nn.Conv2d(channels, 30, 1))


def keywords():
    """The CNN for keyword spotting of Sainath and Parada: rectangular kernels on spectrograms."""
    return Net(
        (1, 40, 49),
        *(nn.Conv2d(1, 8, (7, 5)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, (5, 3)), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 12)),
    )
