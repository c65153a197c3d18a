"""The Jacobian of bundle adjustment's residuals as an expert writes it: one pass, the chain rule by 3 x 3 matrices.

The derivative of a rotation for its vector is G. Gallego, A. Yezzi, "A compact formula for the derivative of a 3-D
rotation in exponential coordinates" (2015).
"""

from __future__ import annotations

import math

import numpy as np

from tests.benchmarks.expert.functions import jit

__all__ = ["jacobian"]


@jit
def jacobian(cam, X, w, feat):
    """Return the Jacobians, (n, 2, 15), of the reprojection errors for camera, point and weight."""
    n = len(cam)
    out = np.empty((n, 2, 15))
    for i in range(n):
        r0, r1, r2 = cam[i, 0], cam[i, 1], cam[i, 2]
        focal, k1, k2, weight = cam[i, 6], cam[i, 9], cam[i, 10], w[i]
        p0, p1, p2 = X[i, 0] - cam[i, 3], X[i, 1] - cam[i, 4], X[i, 2] - cam[i, 5]
        square = r0 * r0 + r1 * r1 + r2 * r2
        if square != 0.0:
            angle = math.sqrt(square)
            s, c = math.sin(angle) / angle, math.cos(angle)
            h = (1.0 - c) / square
        else:
            s, c, h = 1.0, 1.0, 0.0
        # the rotation R = c I + s [r]x + h r r'
        h0, h1, h2 = h * r0, h * r1, h * r2
        s0, s1, s2 = s * r0, s * r1, s * r2
        R00, R01, R02 = c + h0 * r0, h0 * r1 - s2, h0 * r2 + s1
        R10, R11, R12 = h0 * r1 + s2, c + h1 * r1, h1 * r2 - s0
        R20, R21, R22 = h0 * r2 - s1, h1 * r2 + s0, c + h2 * r2
        depth = 1.0 / (R20 * p0 + R21 * p1 + R22 * p2)
        x = (R00 * p0 + R01 * p1 + R02 * p2) * depth
        y = (R10 * p0 + R11 * p1 + R12 * p2) * depth
        radius = x * x + y * y
        warp = 1.0 + radius * (k1 + radius * k2)
        slope = 2.0 * (k1 + 2.0 * radius * k2)
        scale = weight * focal * depth
        a, b, d = (warp + x * x * slope) * scale, x * y * slope * scale, (warp + y * y * slope) * scale
        # M = (r r' + (R' - I) [r]x) / |r|^2; at no rotation the identity
        if square != 0.0:
            q = 1.0 / square
            A00, A11, A22 = R00 - 1.0, R11 - 1.0, R22 - 1.0
            M00 = (r0 * r0 + R10 * r2 - R20 * r1) * q
            M01 = (r0 * r1 - A00 * r2 + R20 * r0) * q
            M02 = (r0 * r2 + A00 * r1 - R10 * r0) * q
            M10 = (r1 * r0 + A11 * r2 - R21 * r1) * q
            M11 = (r1 * r1 - R01 * r2 + R21 * r0) * q
            M12 = (r1 * r2 + R01 * r1 - A11 * r0) * q
            M20 = (r2 * r0 + R12 * r2 - A22 * r1) * q
            M21 = (r2 * r1 - R02 * r2 + A22 * r0) * q
            M22 = (r2 * r2 + R02 * r1 - R12 * r0) * q
        else:
            M00, M01, M02, M10, M11, M12, M20, M21, M22 = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
        for k in range(2):
            t0, t1 = (a, b) if k == 0 else (b, d)
            t2 = -(t0 * x + t1 * y)
            j0 = t0 * R00 + t1 * R10 + t2 * R20
            j1 = t0 * R01 + t1 * R11 + t2 * R21
            j2 = t0 * R02 + t1 * R12 + t2 * R22
            m0, m1, m2 = p1 * j2 - p2 * j1, p2 * j0 - p0 * j2, p0 * j1 - p1 * j0
            row = out[i, k]
            row[0] = m0 * M00 + m1 * M10 + m2 * M20
            row[1] = m0 * M01 + m1 * M11 + m2 * M21
            row[2] = m0 * M02 + m1 * M12 + m2 * M22
            row[3], row[4], row[5] = -j0, -j1, -j2
            at = x if k == 0 else y
            lifted = weight * focal * at
            row[6] = weight * warp * at
            row[7] = weight if k == 0 else 0.0
            row[8] = 0.0 if k == 0 else weight
            row[9] = lifted * radius
            row[10] = lifted * radius * radius
            row[11], row[12], row[13] = j0, j1, j2
            row[14] = focal * warp * at + cam[i, 7 + k] - feat[i, k]
    return out
