"""Every function of unitscope.py beside its definition in NumPy, and beside PyTorch where that is installed.

    UNITSCOPE_LIBRARY=<prefix>/lib/libunitscope.so python3 example.py

Ends with 1 if anything differs by more than rounding explains.
"""

import sys

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from unitscope import Unitscope, UnitscopeError

try:
    import torch
except ImportError:
    torch = None

EPS = 2.0**-24  # half a unit in the last place of a float32
POOL = {"kernel": 3, "stride": 2, "padding": 1}
CONCEPTS = 5
failed = False


def compare(what, peer, got, expected, tolerance=0.0):
    """Prints a line; `tolerance` is a bound on rounding, per element."""
    global failed
    got, expected = numpy.asarray(got), numpy.asarray(expected)
    error = numpy.abs(got.astype(numpy.float64) - expected.astype(numpy.float64))
    same = got.shape == expected.shape and bool(numpy.all(error <= tolerance))
    failed = failed or not same
    verdict = "WRONG" if not same else "equal" if not error.any() else "equal to rounding"
    print(f"  {what:<18}{peer:<8}{verdict}")


def inputs():
    random = numpy.random.default_rng(7)
    return {
        "x": random.standard_normal((2, 3, 13, 13)).astype(numpy.float32),
        "dy": random.standard_normal((2, 3, 7, 7)).astype(numpy.float32),
        "maps": (20 * random.random((4, 3, 6, 6)) ** 4).astype(numpy.float32),
        "beta": numpy.array([4, 2, 0.5], numpy.float32),
        "thresholds": numpy.array([0.25, 0.5, 1.0]),
        "labels": random.integers(0, CONCEPTS, (2, 2, 50, 40)).astype(numpy.int32),
    }


def compute(kernels, of):
    """All results, whatever kind of arrays `of` holds."""
    out = {}
    out["max_pool"], out["switches"] = kernels.max_pool(of["x"], **POOL)
    out["unpool"] = kernels.unpool(out["max_pool"], out["switches"], (13, 13), **POOL)
    out["max_pool_backward"] = kernels.max_pool_backward(of["x"], of["dy"], **POOL)
    out["mask_forward"], out["mu"] = kernels.mask_forward(of["maps"], of["beta"])
    out["mi_loss"] = kernels.mi_loss(of["maps"])
    out["mi_gradient"] = kernels.mi_gradient(of["maps"])
    counts = kernels.iou_counts(of["x"], of["thresholds"], of["labels"], CONCEPTS)
    out["intersection"], out["label_pixels"], out["area"] = counts
    return out


def pool_in_numpy(x):
    padded = numpy.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-numpy.inf)
    windows = sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    windows = windows.reshape(*windows.shape[:4], 9)
    return windows.max(-1), windows.argmax(-1)


def unpool_in_numpy(y, switches):
    n, c, rows, columns = numpy.indices(y.shape)
    x = numpy.zeros((*y.shape[:2], 13, 13), y.dtype)
    numpy.add.at(x, (n, c, 2 * rows - 1 + switches // 3, 2 * columns - 1 + switches % 3), y)
    return x


def distances(n):
    """L1 distance of every cell (last two axes) from every part (first axis)."""
    rows, columns = numpy.divmod(numpy.arange(n * n), n)
    grid = numpy.arange(n)
    return numpy.abs(grid[:, None] - rows[:, None, None]) + numpy.abs(grid - columns[:, None, None])


def mask_in_numpy(maps, beta):
    n = maps.shape[-1]
    mu = maps.reshape(*maps.shape[:2], n * n).argmax(-1)
    fall = beta[:, None, None].astype(float) * distances(n)[mu] / n
    return numpy.maximum(maps * numpy.maximum(1 - fall, -1), 0), mu, numpy.abs(maps) * (1 + fall)


def mi_templates(n):
    tau = 0.5 / n**2
    positive = tau * numpy.maximum(1 - 4 * distances(n) / n, -1)
    return numpy.concatenate([positive, numpy.full((1, n, n), -tau)])


def logsumexp_in_numpy(values, axis):
    top = values.max(axis, keepdims=True)
    return top + numpy.log(numpy.exp(values - top).sum(axis, keepdims=True))


def mi_in_numpy(maps):
    """Loss, exact gradient, and the magnitude of the terms that the gradient's sums are made of."""
    maps = maps.astype(float)
    templates = mi_templates(maps.shape[-1])
    prior = 1 / len(templates)
    scores = (maps[:, :, None] * templates).sum((-1, -2))
    log_z = logsumexp_in_numpy(scores, 0)
    p = numpy.exp(scores - log_z)
    log_p_x = logsumexp_in_numpy(scores - log_z, 2) + numpy.log(prior)
    ratio = scores - log_z - log_p_x
    loss_terms = prior * p * ratio
    mean_ratio = (p * ratio).sum(0, keepdims=True)
    gradient = -numpy.einsum("bct,tij->bcij", prior * p * (ratio - mean_ratio), templates)
    magnitudes = prior * p * (abs(scores) + abs(log_z) + abs(log_p_x) + (p * abs(ratio)).sum(0))
    tau = 0.5 / maps.shape[-1] ** 2
    return -loss_terms.sum((0, 2)), gradient, abs(loss_terms).sum((0, 2)), tau * magnitudes.sum(2)[..., None, None]


def upsample_in_numpy(x, shape):
    for axis, pixels in ((2, shape[0]), (3, shape[1])):
        cells = x.shape[axis]
        step = pixels / cells
        s = numpy.clip((numpy.arange(pixels) - (step - 1) / 2) / step, 0, cells - 1)
        i = numpy.minimum(s.astype(int), cells - 1)
        f = (s - i).reshape([-1 if a == axis else 1 for a in range(4)])
        x = (1 - f) * x.take(i, axis) + f * x.take(numpy.minimum(i + 1, cells - 1), axis)
    return x


def iou_in_numpy(x, thresholds, labels):
    masks = upsample_in_numpy(x.astype(float), labels.shape[2:]) > thresholds[:, None, None]
    present = numpy.stack([(labels == concept).any(1) for concept in range(CONCEPTS)])
    present[0] = False  # label 0 is none
    return numpy.einsum("nuij,cnij->uc", masks, present, dtype=int), present.sum((1, 2, 3)), masks.sum((0, 2, 3))


def mi_loss_in_torch(maps):
    """The loss as an expression, so that its gradient is PyTorch's own."""
    templates = torch.from_numpy(mi_templates(maps.shape[-1])).to(maps.device)
    prior = 1 / len(templates)
    scores = torch.einsum("bcij,tij->bct", maps, templates)
    log_p = scores - scores.logsumexp(0, keepdim=True)
    log_p_x = log_p.logsumexp(2, keepdim=True) + numpy.log(prior)
    return -(prior * log_p.exp() * (log_p - log_p_x)).sum((0, 2))


def compare_with_numpy(got, of):
    y, switches = pool_in_numpy(of["x"])
    compare("max_pool", "numpy", got["max_pool"], y)
    compare("switches", "numpy", got["switches"], switches)
    # At most four windows hold a cell: three additions, each of at most eps times the sum of the magnitudes.
    compare("unpool", "numpy", got["unpool"], unpool_in_numpy(y, switches), 3 * EPS * unpool_in_numpy(abs(y), switches))
    dy = of["dy"]
    bound = 3 * EPS * unpool_in_numpy(abs(dy), switches)
    compare("max_pool_backward", "numpy", got["max_pool_backward"], unpool_in_numpy(dy.astype(float), switches), bound)
    masked, mu, terms = mask_in_numpy(of["maps"], of["beta"])
    compare("mask_forward", "numpy", got["mask_forward"], masked, 4 * EPS * terms)
    compare("mu", "numpy", got["mu"], mu)
    loss, gradient, loss_terms, gradient_terms = mi_in_numpy(of["maps"])
    # Sums in double, of terms whose exponentials are good to 2^-36, then one rounding: mi_gradient.h.
    compare("mi_loss", "numpy", got["mi_loss"], loss, EPS * abs(loss) + 2.0**-36 * loss_terms)
    compare("mi_gradient", "numpy", got["mi_gradient"], gradient, EPS * abs(gradient) + 2.0**-36 * gradient_terms)
    counts = iou_in_numpy(of["x"], of["thresholds"], of["labels"])
    for name, expected in zip(("intersection", "label_pixels", "area"), counts):
        compare(name, "numpy", got[name], expected)


def compare_with_torch(got, of):
    """The operations that PyTorch has itself, on the device where `of` lies."""
    x = of["x"].clone().requires_grad_()
    y, places = torch.nn.functional.max_pool2d(x, POOL["kernel"], POOL["stride"], POOL["padding"], return_indices=True)
    compare("max_pool", "torch", got["max_pool"].cpu(), y.detach().cpu())
    rows, columns = torch.meshgrid(torch.arange(7), torch.arange(7), indexing="ij")
    switches = got["switches"].cpu().long()
    cells = (2 * rows - 1 + switches // 3) * 13 + 2 * columns - 1 + switches % 3
    compare("switches", "torch", cells, places.cpu())
    y.backward(of["dy"])
    # Both sides round their three additions.
    bound = 6 * EPS * unpool_in_numpy(abs(of["dy"].cpu().numpy()), switches.numpy())
    compare("max_pool_backward", "torch", got["max_pool_backward"].cpu(), x.grad.cpu(), bound)
    maps = of["maps"].double().requires_grad_()
    loss = mi_loss_in_torch(maps)
    loss.sum().backward()
    _, _, loss_terms, gradient_terms = mi_in_numpy(of["maps"].cpu().numpy())
    loss, gradient = loss.detach().cpu().numpy(), maps.grad.cpu().numpy()
    compare("mi_loss", "torch", got["mi_loss"].cpu(), loss, EPS * abs(loss) + 2.0**-36 * loss_terms)
    bound = EPS * abs(gradient) + 2.0**-36 * gradient_terms
    compare("mi_gradient", "torch", got["mi_gradient"].cpu(), gradient, bound)


def refuse(what, error, call):
    """What cannot be is an exception with a reason."""
    global failed
    try:
        call()
    except error as reason:
        print(f"  {what:<18}{type(reason).__name__}: {reason}")
    else:
        failed = True
        print(f"  {what:<18}WRONG: not refused")


def main():
    kernels = Unitscope()
    arrays = inputs()
    print(f"NumPy arrays on cpu ({kernels.device('cpu')}):")
    results = compute(kernels, arrays)
    compare_with_numpy(results, arrays)

    x = arrays["x"]
    print("refused:")
    refuse("strided", ValueError, lambda: kernels.max_pool(x[:, :, ::2], **POOL))
    refuse("float64", TypeError, lambda: kernels.max_pool(x.astype(float), **POOL))
    refuse("window too large", UnitscopeError, lambda: kernels.max_pool(x, 20))
    wild = numpy.full_like(results["switches"], 200)
    refuse("wild switches", UnitscopeError, lambda: kernels.unpool(results["max_pool"], wild, (13, 13), **POOL))

    if torch is None:
        print("PyTorch: not run: it is not installed")
        return
    print("PyTorch tensors on cpu:")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    from_tensors = compute(kernels, tensors)
    for name, result in results.items():
        if not numpy.array_equal(from_tensors[name].numpy(), result):
            compare(name, "cpu", from_tensors[name].numpy(), result)
    compare_with_torch(from_tensors, tensors)

    if not torch.cuda.is_available():
        print("PyTorch tensors on cuda: not run: torch.cuda is not available")
        return
    try:
        print(f"PyTorch tensors on cuda ({kernels.device('cuda')}), a stream of their own:")
    except UnitscopeError as reason:
        print(f"PyTorch tensors on cuda: not run: {reason}")
        return
    with torch.cuda.stream(torch.cuda.Stream()):
        there = {name: tensor.cuda() for name, tensor in tensors.items()}
        on_device = compute(kernels, there)
        compare_with_torch(on_device, there)
        compare_with_numpy({name: result.cpu().numpy() for name, result in on_device.items()}, arrays)


if __name__ == "__main__":
    main()
    sys.exit(1 if failed else 0)
