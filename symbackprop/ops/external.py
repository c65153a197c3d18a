"""Functions that generated code takes from SciPy's C library, where `math` and a few lines of our own do not do."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from symbackprop.deferred import Deferred, imported
from symbackprop.ir.external import External

sc = Deferred("scipy.special")

__all__ = [
    "dgetrf",
    "dgetri",
    "dgetrs",
    "scipy_airy_ai",
    "scipy_airy_ai_prime",
    "scipy_airy_bi",
    "scipy_airy_bi_prime",
    "scipy_beta",
    "scipy_binom",
    "scipy_ci",
    "scipy_erfcinv",
    "scipy_erfi",
    "scipy_erfinv",
    "scipy_expi",
    "scipy_expn",
    "scipy_fresnel_c",
    "scipy_fresnel_s",
    "scipy_gammainc",
    "scipy_gammaincc",
    "scipy_iv",
    "scipy_jv",
    "scipy_kv",
    "scipy_poch",
    "scipy_psi",
    "scipy_si",
    "scipy_yv",
    "sgetrf",
    "sgetri",
    "sgetrs",
]


scipy_psi = External("scipy_psi", "__pyx_fuse_1psi", 1, sc.psi)
scipy_erfinv = External("scipy_erfinv", "__pyx_fuse_0erfinv", 1, sc.erfinv)
scipy_erfcinv = External("scipy_erfcinv", "erfcinv", 1, sc.erfcinv)
scipy_erfi = External("scipy_erfi", "__pyx_fuse_1erfi", 1, sc.erfi)
scipy_beta = External("scipy_beta", "beta", 2, sc.beta)
scipy_binom = External("scipy_binom", "binom", 2, sc.binom)
scipy_poch = External("scipy_poch", "poch", 2, sc.poch)
scipy_gammainc = External("scipy_gammainc", "gammainc", 2, sc.gammainc)
scipy_gammaincc = External("scipy_gammaincc", "gammaincc", 2, sc.gammaincc)
scipy_expi = External("scipy_expi", "__pyx_fuse_1expi", 1, sc.expi)
scipy_expn = External("scipy_expn", "__pyx_fuse_0expn", 2, sc.expn)
scipy_jv = External("scipy_jv", "__pyx_fuse_1jv", 2, sc.jv)
scipy_yv = External("scipy_yv", "__pyx_fuse_1yv", 2, sc.yv)
scipy_iv = External("scipy_iv", "__pyx_fuse_1iv", 2, sc.iv)
scipy_kv = External("scipy_kv", "__pyx_fuse_1kv", 2, sc.kv)
scipy_si = External("scipy_si", "__pyx_fuse_1sici", 1, sc.sici, 2, 0)
scipy_ci = External("scipy_ci", "__pyx_fuse_1sici", 1, sc.sici, 2, 1)
scipy_fresnel_s = External("scipy_fresnel_s", "__pyx_fuse_1fresnel", 1, sc.fresnel, 2, 0)
scipy_fresnel_c = External("scipy_fresnel_c", "__pyx_fuse_1fresnel", 1, sc.fresnel, 2, 1)
scipy_airy_ai = External("scipy_airy_ai", "__pyx_fuse_1airy", 1, sc.airy, 4, 0)
scipy_airy_ai_prime = External("scipy_airy_ai_prime", "__pyx_fuse_1airy", 1, sc.airy, 4, 1)
scipy_airy_bi = External("scipy_airy_bi", "__pyx_fuse_1airy", 1, sc.airy, 4, 2)
scipy_airy_bi_prime = External("scipy_airy_bi_prime", "__pyx_fuse_1airy", 1, sc.airy, 4, 3)


@functools.cache
def _located(name: str, arity: int) -> Any:
    """Return a routine by its address."""
    capsule = imported("scipy.linalg.cython_lapack", "__pyx_capi__")[name]
    signature = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))(capsule)
    locate = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    address = locate(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, signature)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arity)(address)


def _routine(name: str, arity: int) -> External:
    """Return a routine of LAPACK; called from Python it takes `ctypes` views of arrays."""

    def call(*args: Any) -> None:
        _located(name, arity)(*args)

    return External(name, name, arity, call, is_routine=True)


dgetrf, sgetrf = _routine("dgetrf", 6), _routine("sgetrf", 6)
dgetri, sgetri = _routine("dgetri", 7), _routine("sgetri", 7)
dgetrs, sgetrs = _routine("dgetrs", 9), _routine("sgetrs", 9)
