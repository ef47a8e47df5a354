"""The peer of the dissection benchmark: thresholds and counts of Network Dissection as one writes them in torch, from
activations and label maps that a network and a data set have given.

Speaks the protocol of protocol.py. A sample is prepared by
  {"activations": path of [N, units, h, w] float32, "labels": path of [N, layers, H, W] int32, "rows": labels + 1,
   "thresholds": path of [units] float64, "fraction": q, "origin": [y, x], "step": [y, x], "outputs": folder}
and answered with {"bounds": {output: [path of the least values, path of the largest]}}: between them lies what anyone
else may get, given the roundings of either side, under the thresholds handed over.
"""
import os
import warnings

import numpy
import torch
from protocol import serve

warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


def thresholds_of(activations, fraction):
    """The 1 - q quantile of each unit, by its largest values."""
    values = activations.transpose(0, 1).reshape(activations.shape[1], -1)
    place = (1 - fraction) * (values.shape[1] - 1)
    rank, weight = values.shape[1] - int(place), place - int(place)
    top = torch.topk(values, rank, dim=1).values
    low = top[:, rank - 1].double()
    high = top[:, rank - 2].double() if rank > 1 else low
    return low + (high - low) * weight


def interpolation(cells, pixels, origin, step):
    """[pixels, cells]: the weights of a linear interpolation between cells at origin + step * cell, clamped."""
    places = ((torch.arange(pixels, dtype=torch.float64) - origin) / step).clamp(0, cells - 1)
    low = places.floor().long().clamp(max=max(cells - 2, 0))
    weights = torch.zeros(pixels, cells, dtype=torch.float64)
    rows = torch.arange(pixels)
    weights[rows, low] = 1 - (places - low)
    if cells > 1:
        weights[rows, low + 1] = places - low
    return weights


def counter(activations, labels, rows, down, across):
    """Intersections and areas by a matrix product: enlarged masks times one-hot label maps, image by image."""
    images, units = activations.shape[:2]
    size = tuple(labels.shape[2:])
    pixels = size[0] * size[1]
    flat = labels.reshape(images, -1, pixels).long()
    one_hot = torch.empty(rows, pixels)
    ones = torch.ones(1, pixels)

    def count(maps, down, across, at):
        intersection, label_pixels = torch.zeros(units, rows), torch.zeros(rows)
        for image in range(images):
            one_hot.zero_()
            for layer in flat[image]:
                one_hot.scatter_(0, layer[None], ones)
            enlarged = down @ maps[image] @ across.T
            masks = (enlarged.reshape(units, pixels) > at[:, None]).float()
            intersection += masks @ one_hot.T
            label_pixels += one_hot.sum(1)
        # The label 0 is none.
        intersection[:, 0] = label_pixels[0] = 0
        return {"intersection": intersection, "labelPixels": label_pixels}

    return count


def prepare(command):
    def load(name):
        return torch.from_numpy(numpy.load(command[name]))

    activations, labels, thresholds = load("activations"), load("labels"), load("thresholds")
    (height, width), size = activations.shape[2:], labels.shape[2:]
    origin, step = command["origin"], command["step"]
    down = interpolation(height, size[0], origin[0], step[0])
    across = interpolation(width, size[1], origin[1], step[1])
    count = counter(activations, labels, command["rows"], down, across)
    # Two interpolations in float64 differ by a few roundings, so pixels that near to the threshold may count or not.
    near = 2.0 ** -48 * activations.abs().max().double()
    wide = activations.double()
    most, least = (count(wide, down, across, thresholds + shift) for shift in (-near, near))
    quantiles = thresholds_of(activations, command["fraction"])
    # The interpolation between two values in float64, from either end.
    rounding = 2.0 ** -50 * quantiles.abs().max()
    ends = {name: (least[name], most[name]) for name in most}
    ends["thresholds"] = (quantiles - rounding, quantiles + rounding)
    bounds = {}
    for name, values in ends.items():
        bounds[name] = [os.path.join(command["outputs"], f"{name}-{end}.npy") for end in ("least", "most")]
        for path, value in zip(bounds[name], values):
            numpy.save(path, value.double().numpy())
    narrow = down.float(), across.float()
    methods = {
        "thresholds": lambda: thresholds_of(activations, command["fraction"]),
        "counts": lambda: count(activations, *narrow, thresholds.float()),
    }
    return methods, {"bounds": bounds}


serve(prepare)
