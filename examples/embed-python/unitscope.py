"""unitscope's kernels on NumPy arrays and PyTorch tensors, through ctypes. Nothing is compiled and nothing is copied.

Arrays are dense (C order) and of the dtype the kernel takes; results are new arrays of the same kind and device. NumPy
arrays and CPU tensors run on the CPU. CUDA tensors run on PyTorch's current stream, in order with everything else queued
there, and the call returns before the result is there. Gradients are not recorded: these are plain functions.
"""

import contextlib
import ctypes
import os
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_void_p

import numpy

# The US_ABI_VERSION of the headers that the structures below were written after.
ABI_VERSION = 3

_BACKENDS = {"cpu": 0, "cuda": 1}
_MI_MODES = {"exact": 0, "frozen": 1}
_SIGNAL_RULES = {"none": 0, "gradient": 1, "guided": 2, "deconvnet": 3}


class UnitscopeError(Exception):
    """A call that failed: the library's own message, and `status`, such as "invalid-argument"."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _Execution(ctypes.Structure):
    _fields_ = [("backend", c_int), ("threads", c_int32), ("stream", c_void_p)]


class _Pool2dParams(ctypes.Structure):
    _fields_ = [
        ("planes", c_int64),
        ("height", c_int32),
        ("width", c_int32),
        ("out_height", c_int32),
        ("out_width", c_int32),
        ("kernel", c_int32 * 2),
        ("stride", c_int32 * 2),
        ("pad_begin", c_int32 * 2),
        ("pad_end", c_int32 * 2),
        ("dilation", c_int32 * 2),
    ]


class _MaskParams(ctypes.Structure):
    _fields_ = [("batch", c_int64), ("channels", c_int64), ("size", c_int32), ("height", c_float)]


class _MiParams(ctypes.Structure):
    _fields_ = [
        ("batch", c_int64),
        ("channels", c_int64),
        ("size", c_int32),
        ("tau", c_double),
        ("beta", c_double),
        ("alpha", c_double),
    ]


class _IouParams(ctypes.Structure):
    _fields_ = [
        ("images", c_int64),
        ("units", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("out_height", c_int32),
        ("out_width", c_int32),
        ("layers", c_int32),
        ("image_labels", c_int32),
        ("concepts", c_int32),
        ("categories", c_int32),
        ("edge", c_int),
        ("origin", c_double * 2),
        ("step", c_double * 2),
    ]


# What follows the us_execution in each kernel's arguments: the params struct, enums, and how many pointers.
_KERNELS = {
    "us_max_pool": [POINTER(_Pool2dParams)] + [c_void_p] * 3,
    "us_unpool": [POINTER(_Pool2dParams), c_int, c_int] + [c_void_p] * 3,
    "us_max_pool_backward": [POINTER(_Pool2dParams), c_int] + [c_void_p] * 3,
    "us_mask_forward": [POINTER(_MaskParams), c_int] + [c_void_p] * 4,
    "us_mi_loss": [POINTER(_MiParams)] + [c_void_p] * 3,
    "us_mi_gradient": [POINTER(_MiParams), c_int] + [c_void_p] * 6,
    "us_iou_counts": [POINTER(_IouParams)] + [c_void_p] * 9,
}


def _is_tensor(value):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _dtype_name(array):
    return str(array.dtype).replace("torch.", "")


def _check(name, array, dtype, dims):
    """An array is taken as it is or not at all: a silent copy would cost more than most kernels."""
    if not _is_tensor(array) and not isinstance(array, numpy.ndarray):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, it is a {type(array).__name__}")
    if _dtype_name(array) != dtype:
        raise TypeError(f"{name} must be {dtype}, it is {_dtype_name(array)}")
    if len(array.shape) != dims:
        raise ValueError(f"{name} must have {dims} dimensions, its shape is {tuple(array.shape)}")
    contiguous = array.is_contiguous() if _is_tensor(array) else array.flags.c_contiguous
    if not contiguous:
        raise ValueError(f"{name} must be contiguous; make it so with .contiguous() or numpy.ascontiguousarray")


def _check_shape(name, array, shape):
    if tuple(array.shape) != tuple(shape):
        raise ValueError(f"{name} must have the shape {tuple(shape)}, it has {tuple(array.shape)}")


def _empty(like, shape, dtype, zero=False):
    if _is_tensor(like):
        torch = sys.modules["torch"]
        make = torch.zeros if zero else torch.empty
        return make(shape, dtype=getattr(torch, dtype), device=like.device)
    return (numpy.zeros if zero else numpy.empty)(shape, dtype)


def _pointer(array):
    if array is None:
        return None
    return array.data_ptr() if _is_tensor(array) else array.ctypes.data


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


class Unitscope:
    """The library: `path`, else what UNITSCOPE_LIBRARY names, else where the system looks for shared libraries."""

    def __init__(self, path=None):
        path = path or os.environ.get("UNITSCOPE_LIBRARY") or f"libunitscope.so.{ABI_VERSION}"
        self._library = library = ctypes.CDLL(path)
        library.us_last_error_message.restype = c_char_p
        library.us_status_name.restype = c_char_p
        library.us_status_name.argtypes = [c_int]
        library.us_backend_device.restype = c_char_p
        library.us_pool2d_output_size.argtypes = [POINTER(_Pool2dParams), c_int32]
        self._require(library.us_check_abi(c_int32(ABI_VERSION)))
        for name, arguments in _KERNELS.items():
            getattr(library, name).argtypes = [POINTER(_Execution)] + arguments

    def _require(self, status):
        if status != 0:
            name = self._library.us_status_name(status).decode()
            raise UnitscopeError(name, self._library.us_last_error_message().decode())

    def device(self, backend):
        """What the back end "cpu" or "cuda" runs on, in words; UnitscopeError with the reason if it cannot be used."""
        self._require(self._library.us_backend_available(_BACKENDS[backend]))
        return self._library.us_backend_device(_BACKENDS[backend]).decode()

    def _run(self, kernel, params, *arguments):
        """Calls a kernel where its arrays lie. A number is an enum, None an array that is not given."""
        arrays = [each for each in arguments if each is not None and not isinstance(each, int)]
        devices = {str(each.device) if _is_tensor(each) else "cpu" for each in arrays}
        if len(devices) != 1:
            raise ValueError(f"{kernel}: the arrays must lie on one device, they lie on {', '.join(sorted(devices))}")
        device = devices.pop()
        execution = _Execution(_BACKENDS["cpu"], 0, None)
        current_device = contextlib.nullcontext()
        if device != "cpu":
            if not device.startswith("cuda"):
                raise ValueError(f"{kernel}: there are kernels for cpu and cuda, not for {device}")
            cuda = sys.modules["torch"].cuda
            execution = _Execution(_BACKENDS["cuda"], 0, cuda.current_stream(device).cuda_stream)
            current_device = cuda.device(device)
        values = [each if isinstance(each, int) else _pointer(each) for each in arguments]
        with current_device:
            self._require(getattr(self._library, kernel)(byref(execution), byref(params), *values))

    def _pool(self, planes, size, kernel, stride, padding, dilation, ceil_mode):
        kernel = _pair(kernel)
        params = _Pool2dParams(planes=planes, height=size[0], width=size[1])
        params.kernel[:] = kernel
        params.stride[:] = kernel if stride is None else _pair(stride)
        params.pad_begin[:] = params.pad_end[:] = _pair(padding)
        params.dilation[:] = _pair(dilation)
        self._require(self._library.us_pool2d_output_size(byref(params), int(ceil_mode)))
        return params

    def max_pool(self, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        """y and uint8 switches, [n, c, out_h, out_w]: the largest value of each window and its place in the window."""
        _check("x", x, "float32", 4)
        n, c, h, w = x.shape
        params = self._pool(n * c, (h, w), kernel, stride, padding, dilation, ceil_mode)
        shape = (n, c, params.out_height, params.out_width)
        y, switches = _empty(x, shape, "float32"), _empty(x, shape, "uint8")
        self._run("us_max_pool", params, x, y, switches)
        return y, switches

    def unpool(self, y, switches, size, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, overwrite=False,
               rule="none"):
        """x, [n, c, *size]: every value where its switch says. Values of one cell add up, or the last one stays; then the
        rule of a ReLU, "none" or "deconvnet"."""
        _check("y", y, "float32", 4)
        _check("switches", switches, "uint8", 4)
        n, c = y.shape[:2]
        params = self._pool(n * c, size, kernel, stride, padding, dilation, ceil_mode)
        _check_shape("y", y, (n, c, params.out_height, params.out_width))
        _check_shape("switches", switches, y.shape)
        x = _empty(y, (n, c, *size), "float32")
        self._run("us_unpool", params, int(overwrite), _SIGNAL_RULES[rule], y, switches, x)
        return x

    def max_pool_backward(self, x, dy, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, rule="none"):
        """dx, the gradient of max-pooling, with the switches found anew from x; then the rule of the ReLU that made x:
        "none", "gradient", "guided" or "deconvnet"."""
        _check("x", x, "float32", 4)
        _check("dy", dy, "float32", 4)
        n, c, h, w = x.shape
        params = self._pool(n * c, (h, w), kernel, stride, padding, dilation, ceil_mode)
        _check_shape("dy", dy, (n, c, params.out_height, params.out_width))
        dx = _empty(x, x.shape, "float32")
        self._run("us_max_pool_backward", params, _SIGNAL_RULES[rule], x, dy, dx)
        return dx

    def mask_forward(self, x, beta, height=1.0, centroid=False):
        """y = max(x * T_mu, 0), and mu, [n, c] int32: the cell of each map's part. beta is float32, [c]."""
        n, c, size = self._square_maps(x)
        _check("beta", beta, "float32", 1)
        _check_shape("beta", beta, (c,))
        y, mu = _empty(x, x.shape, "float32"), _empty(x, (n, c), "int32")
        self._run("us_mask_forward", _MaskParams(n, c, size, height), int(centroid), x, beta, y, mu)
        return y, mu

    def mi_loss(self, x, tau=None, beta=4.0, alpha=None):
        """The filter loss of an interpretable CNN, [c]: minus the mutual information of maps and part templates."""
        params = self._mi(x, tau, beta, alpha)
        loss = _empty(x, (params.channels,), "float32")
        self._run("us_mi_loss", params, x, None, loss)
        return loss

    def mi_gradient(self, x, tau=None, beta=4.0, alpha=None, mode="exact"):
        """The gradient of mi_loss: "exact", or "frozen" with Z_T held constant as in the paper."""
        params = self._mi(x, tau, beta, alpha)
        dx = _empty(x, x.shape, "float32")
        self._run("us_mi_gradient", params, _MI_MODES[mode], None, x, None, None, None, dx)
        return dx

    def _mi(self, x, tau, beta, alpha):
        n, c, size = self._square_maps(x)
        cells = size * size
        tau = 0.5 / cells if tau is None else tau
        alpha = cells / (cells + 1) if alpha is None else alpha
        return _MiParams(n, c, size, tau, beta, alpha)

    def _square_maps(self, x):
        _check("x", x, "float32", 4)
        n, c, size, width = x.shape
        if size != width:
            raise ValueError(f"x must hold square maps, its shape is {tuple(x.shape)}")
        return n, c, size

    def iou_counts(self, x, thresholds, labels, concepts):
        """Network Dissection's counts of x upsampled to the size of the labels (half-pixel) and cut at the thresholds.

        x [n, units, h, w]; thresholds [units], float64; labels [n, layers, H, W], int32 below `concepts`, 0 for none.
        Returns int64: intersection [units, concepts], label_pixels [concepts], area [units]. Exact.
        """
        _check("x", x, "float32", 4)
        _check("thresholds", thresholds, "float64", 1)
        _check("labels", labels, "int32", 4)
        n, units, h, w = x.shape
        _check_shape("thresholds", thresholds, (units,))
        _, layers, out_h, out_w = labels.shape
        _check_shape("labels", labels, (n, layers, out_h, out_w))
        params = _IouParams(n, units, h, w, out_h, out_w, layers, 0, concepts, 1, 0)
        params.step[:] = (out_h / h, out_w / w)
        params.origin[:] = ((out_h / h - 1) / 2, (out_w / w - 1) / 2)
        category_of = _empty(x, (concepts,), "int32", zero=True)
        intersection = _empty(x, (units, concepts), "int64", zero=True)
        label_pixels = _empty(x, (concepts,), "int64", zero=True)
        category_area = _empty(x, (units, 1), "int64", zero=True)
        area = _empty(x, (units,), "int64", zero=True)
        arrays = (x, thresholds, labels, None, category_of, intersection, label_pixels, category_area, area)
        self._run("us_iou_counts", params, *arrays)
        return intersection, label_pixels, area
