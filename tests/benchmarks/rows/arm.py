"""Serial arms of 7 to 300 joints: squared distance of the hand from a point, gradient for all numbers of a joint."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np

from tests.benchmarks import robot_arm
from tests.benchmarks.row import Limit, Missing, Point, Row, Work

__all__ = ["ROWS"]

#: Up to this many joints JAX is waited for: it compiles 30 of them for a minute.
_JAX_JOINTS = 7


def _side(call: Callable[[int], robot_arm.Peer], module: str, most: int = 10**9) -> Callable[[Point], Work]:
    def make(at: Point) -> Work:
        if importlib.util.find_spec(module) is None:
            raise Missing(f"{module} is not installed")
        joints = int(at["joints"])
        if joints > most:
            raise Missing(f"{module} would compile {joints} joints for minutes")
        peer = call(joints)
        return Work(peer.call, read=lambda _: [peer.result()], seconds=peer.compile)

    return make


def point(joints: int) -> Point:
    """Return the number of joints; all sides use the same random point."""
    return {"joints": np.int64(joints)}


_PEERS = ("casadi", "heyoka", "jax")
_LARGE = (Limit(1.0, ("casadi", "heyoka")), Limit(1.0, ("heyoka",), "compile"))

ROWS = (
    Row(
        name="arm",
        what="a serial arm, squared distance of the hand and its gradient; sizes are joints",
        sizes={f"{joints}": {"joints": joints} for joints in (7, 30, 100, 300)},
        tiny={"joints": 2},
        point=point,
        sides={
            "symbackprop": _side(robot_arm.our_call, "symbackprop"),
            "casadi": _side(robot_arm.casadi_call, "casadi"),
            "heyoka": _side(robot_arm.heyoka_call, "heyoka"),
            "jax": _side(robot_arm.jax_call, "jax", _JAX_JOINTS),
        },
        limits={"": (Limit(0.6, _PEERS), Limit(1.0, ("heyoka",), "compile")), "100": _LARGE, "300": _LARGE},
        fresh=("7", "30", "100", "300"),
    ),
)
