"""Functions that generated code takes from SciPy's C library, where `math` and a few lines of our own do not do."""

from __future__ import annotations

import scipy.special as sc

from symbackprop.ir.external import External

__all__ = [
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
