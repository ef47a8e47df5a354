"""The peers of the explain benchmark: torch's forward and input gradient, and Captum's methods where it is importable.

Speaks the protocol of protocol.py: {"net": "alexnet", "batch": 16} prepares, the answer has {"captum": version or null}.
The networks have torchvision's shapes and random weights; what they compute does not matter here, only how long it takes.
"""
import warnings

import torch
from networks import build
from protocol import serve

try:
    import captum
    from captum.attr import Deconvolution, GuidedBackprop, Saliency
except ImportError:
    captum = None

warnings.filterwarnings("ignore")


def prepare(command):
    net, batch = build(command["net"]), command["batch"]
    x = torch.randn(batch, 3, 224, 224)
    rows = torch.arange(batch)

    def forward():
        with torch.no_grad():
            net(x)

    def gradient():
        leaf = x.detach().requires_grad_(True)
        scores = net(leaf)
        torch.autograd.grad(scores[rows, scores.argmax(1)].sum(), leaf)

    methods = {"torch forward": forward, "torch gradient": gradient}
    if captum is not None:
        target = net(x).argmax(1)
        saliency, guided, deconvolution = Saliency(net), GuidedBackprop(net), Deconvolution(net)
        methods["captum gradient"] = lambda: saliency.attribute(x.requires_grad_(True), target=target, abs=False)
        methods["captum guided-backprop"] = lambda: guided.attribute(x.requires_grad_(True), target=target)
        methods["captum deconvolution"] = lambda: deconvolution.attribute(x.requires_grad_(True), target=target)
    return methods, {"captum": captum.__version__ if captum else None}


serve(prepare)
