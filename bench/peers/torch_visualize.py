"""The peers of the visualize benchmark: torch's input gradient and gradient ascent, and Captum's methods.

Speaks the protocol of protocol.py: {"net": "alexnet", "batches": [1, 4], "batch": 4} prepares input gradients of each size
of batch, and what takes many of them: an ascent step of `batch` pictures, and Captum's methods on one picture with `batch`
of its copies in a run, the answer has {"captum": version or null}.
"""
import warnings

import torch
from networks import build
from protocol import serve

try:
    import captum
    from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel, Occlusion, Saliency
except ImportError:
    captum = None

warnings.filterwarnings("ignore")

STEPS, SAMPLES = 50, 25


def last_convolution(net):
    return [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)][-1]


def gradient_of(net, batch):
    x, rows = torch.randn(batch, 3, 224, 224), torch.arange(batch)

    def gradient():
        leaf = x.detach().requires_grad_(True)
        scores = net(leaf)
        torch.autograd.grad(scores[rows, scores.argmax(1)].sum(), leaf)

    return gradient


def ascent_of(net, batch, rate=1.0, decay=1e-4):
    """A step up the score of class 7, with L2 decay; the picture stays where it is between the steps."""
    x = torch.randn(batch, 3, 224, 224)

    def step():
        leaf = x.detach().requires_grad_(True)
        (up,) = torch.autograd.grad(net(leaf)[:, 7].sum(), leaf)
        with torch.no_grad():
            x.mul_(1 - decay).add_(up, alpha=rate)

    return step


def prepare(command):
    net, batch = build(command["net"]), command["batch"]
    methods = {f"torch gradient batch {size}": gradient_of(net, size) for size in command["batches"]}
    methods[f"torch ascent step batch {batch}"] = ascent_of(net, batch)
    if captum is not None:
        x = torch.randn(1, 3, 224, 224)
        target = net(x).argmax(1)
        integrated, occlusion, cam = IntegratedGradients(net), Occlusion(net), LayerGradCam(net, last_convolution(net))
        smooth = NoiseTunnel(Saliency(net))
        methods["captum integrated-gradients"] = lambda: integrated.attribute(
            x, target=target, n_steps=STEPS, internal_batch_size=batch)
        methods["captum smoothgrad"] = lambda: smooth.attribute(
            x, target=target, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=batch, stdevs=0.15, abs=False)
        methods["captum grad-cam"] = lambda: cam.attribute(x, target=target)
        methods["captum occlusion"] = lambda: occlusion.attribute(
            x, target=target, sliding_window_shapes=(3, 32, 32), strides=(3, 16, 16), perturbations_per_eval=batch)
    return methods, {"captum": captum.__version__ if captum else None}


serve(prepare)
