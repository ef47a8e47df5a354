"""The peers of the kernel benchmark: each operation as it is written in torch, straightforwardly and with what it needs
allocated and arranged beforehand.

Speaks the protocol of protocol.py. A problem is prepared by
  {"operation": name, "settings": {...}, "inputs": {name: path of an .npy file}, "outputs": folder}
and answered with {"bounds": {output: [path of the least values, path of the largest]}}: between them lies what anyone
else may get, given the roundings of either side. They are computed in float64 where torch's own float32 is no yardstick.
"""
import os
import warnings

import numpy
import torch
import torch.nn.functional as F
from protocol import serve

warnings.filterwarnings("ignore", message="The given NumPy array is not writable")

EPSILON = 2.0 ** -24


def exactly(values):
    return values, values


def within(values, bound):
    return values.double() - bound, values.double() + bound


def window_of(settings):
    return settings["kernel"], settings["stride"], settings["padding"]


def max_pool(settings, x):
    window = window_of(settings)
    y, _ = F.max_pool2d(x, *window, return_indices=True)
    return lambda: F.max_pool2d(x, *window, return_indices=True), {"y": exactly(y)}


def max_unpool(settings, x, dy):
    window = window_of(settings)
    _, indices = F.max_pool2d(x, *window, return_indices=True)

    def run():
        return F.max_unpool2d(dy, indices, *window, output_size=x.shape)

    return run, {"dx": exactly(run())}


def max_pool_backward(settings, x, dy):
    """Autograd's backward pass, which keeps the indices of the forward pass; ours finds them again."""
    kernel, stride, padding = window_of(settings)
    leaf = x.requires_grad_(True)
    y = F.max_pool2d(leaf, kernel, stride, padding)

    def run(signal=dy):
        return torch.autograd.grad(y, leaf, signal, retain_graph=True)[0]

    # Sums of so many terms, in two orders.
    terms = (-(-kernel // stride)) ** 2
    return run, {"dx": within(run(), 2 * (terms - 1) * EPSILON * run(dy.abs()).double())}


def distances(n):
    """L1 distances of the cells [n^2, n^2] of a map."""
    row, column = torch.arange(n).repeat_interleave(n), torch.arange(n).repeat(n)
    return (row[:, None] - row).abs() + (column[:, None] - column).abs()


def mask(settings, x):
    n, beta = x.shape[-1], settings["beta"]
    fall = beta * distances(n).double() / n
    bank = (1 - fall).clamp(min=-1).float().reshape(-1, n, n)

    def run():
        return torch.relu(x * bank[x.flatten(2).argmax(-1)])

    places = x.flatten(2).argmax(-1)
    # Five roundings of ours (beta times distance, difference, quotient, height, value) and two of torch's.
    bound = 7 * EPSILON * x.abs().double() * (1 + fall.reshape(-1, n, n)[places])
    return run, {"y": within(run(), bound), "mu": exactly(places.flatten())}


def mi_gradient(settings, x):
    """Two matrix products around a softmax over the images."""
    batch, channels, n, _ = x.shape
    tau, alpha = settings["tau"], settings["alpha"]
    positive = tau * (1 - settings["beta"] * distances(n).double() / n).clamp(min=-1)
    templates = torch.cat([positive, torch.full((1, n * n), -tau, dtype=torch.float64)])
    prior = torch.full((n * n + 1,), alpha / n ** 2, dtype=torch.float64)
    prior[-1] = 1 - alpha

    def gradient(maps, bank, weights):
        scores = (maps.reshape(-1, n * n) @ bank.T).reshape(batch, channels, -1)
        likelihood = torch.log_softmax(scores, 0)
        ratio = likelihood - torch.logsumexp(likelihood + weights.log(), -1, keepdim=True)
        probability = likelihood.exp()
        terms = weights * probability * (ratio - (probability * ratio).sum(0))
        return -(terms.reshape(-1, n * n + 1) @ bank).reshape(maps.shape), terms

    bank, weights = templates.float(), prior.float()
    exact, _ = gradient(x.double(), templates, prior)
    # Ours sums in float64 and is rounded to float32 once; its running sums lose 2^-36 of what they hold at most: the
    # largest logarithms, here the scores and log(batch), under every template's peak.
    largest = 2 * (x.double().sum((2, 3)).max() * tau + numpy.log(batch))
    bound = EPSILON * exact.abs() + 2.0 ** -36 * tau * largest
    return lambda: gradient(x, bank, weights), {"dx": within(exact, bound)}


def iou_counts(settings, activations, labels):
    """Network Dissection by a matrix product: upsampled masks times one-hot label maps, image by image."""
    threshold, rows = settings["threshold"], settings["rows"]
    images, units = activations.shape[:2]
    size = tuple(labels.shape[2:])
    pixels = size[0] * size[1]
    flat = labels.reshape(images, -1, pixels).long()
    one_hot = torch.empty(rows, pixels)
    ones = torch.ones(1, pixels)

    def upsample(maps):
        return F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0].reshape(units, pixels)

    def count(above):
        intersection, area = torch.zeros(units, rows), torch.zeros(units)
        label_pixels = torch.zeros(rows)
        for image in range(images):
            one_hot.zero_()
            for layer in flat[image]:
                one_hot.scatter_(0, layer[None], ones)
            masks = above(activations[image])
            intersection += masks @ one_hot.T
            area += masks.sum(1)
            label_pixels += one_hot.sum(1)
        # The label 0 is none.
        intersection[:, 0] = label_pixels[0] = 0
        return {"intersection": intersection, "labelPixels": label_pixels, "area": area}

    def bounding(at):
        return count(lambda maps: (upsample(maps.double()) > at).float())

    # Two interpolations in float64 differ by a few roundings, so pixels that near to the threshold may count or not.
    near = 2.0 ** -48 * activations.abs().max().double()
    most, least = bounding(threshold - near), bounding(threshold + near)
    bounds = {name: (least[name], most[name]) for name in most}
    return lambda: count(lambda maps: (upsample(maps) > threshold).float()), bounds


def scrambled(first, count):
    """The finalizer of MurmurHash3 of first to first + count, to values from 0 to 1, as the harness makes them."""
    bits = numpy.arange(first, first + count, dtype=numpy.uint32)
    bits = (bits ^ (bits >> 16)) * numpy.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * numpy.uint32(0xC2B2AE35)
    return ((bits ^ (bits >> 16)) >> 8).astype(numpy.float32) * numpy.float32(2.0 ** -24)


def top_quantile(settings):
    """The values of each unit lie side by side, which torch likes best; a stream would have to be gathered first."""
    units, count, fraction = settings["units"], settings["values"], settings["fraction"]
    values = torch.empty(units, count)
    for unit in range(units):
        values[unit] = torch.from_numpy(scrambled(unit * count, count))
    place = (1 - fraction) * (count - 1)
    rank, weight = count - int(place), place - int(place)

    def run():
        top = torch.topk(values, rank, dim=1).values
        low, high = top[:, rank - 1].double(), top[:, rank - 2].double()
        return low + (high - low) * weight

    quantiles = run()
    # The interpolation in float64, from either end.
    return run, {"quantiles": within(quantiles, 2.0 ** -50 * quantiles.abs())}


OPERATIONS = {
    operation.__name__: operation
    for operation in (max_pool, max_unpool, max_pool_backward, mask, mi_gradient, iou_counts, top_quantile)
}


def prepare(command):
    inputs = {name: torch.from_numpy(numpy.load(path)) for name, path in command["inputs"].items()}
    run, outputs = OPERATIONS[command["operation"]](command["settings"], **inputs)
    bounds = {}
    for name, ends in outputs.items():
        bounds[name] = [os.path.join(command["outputs"], f"{name}-{end}.npy") for end in ("least", "most")]
        for path, values in zip(bounds[name], ends):
            numpy.save(path, values.detach().contiguous().double().numpy())
    return {"torch": run}, {"bounds": bounds}


serve(prepare)
