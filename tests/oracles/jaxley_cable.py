"""Jaxley on a branched cell with the squid's membrane: three cylinders that meet in a point."""

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platform_name", "cpu")

import jaxley as jx  # noqa: E402
from jaxley.channels import HH  # noqa: E402
from store import save  # noqa: E402

DT, MS, EVERY = 0.025, 20.0, 20
LENGTHS, RADII, PIECES = (300.0, 200.0, 150.0), (1.5, 0.75, 0.5), 10

cell = jx.Cell([jx.Branch(jx.Compartment(), PIECES) for _ in LENGTHS], parents=[-1, 0, 0])
for i, (length, radius) in enumerate(zip(LENGTHS, RADII, strict=True)):
    cell.branch(i).set("length", length / PIECES)
    cell.branch(i).set("radius", radius)
cell.set("axial_resistivity", 100.0)
cell.insert(HH())
cell.set("v", -65.0)
cell.init_states()
for branch, loc in ((0, 0.05), (1, 0.95), (2, 0.95)):
    cell.branch(branch).loc(loc).record(verbose=False)
cell.branch(1).loc(0.95).stimulate(
    jx.step_current(i_delay=0.0, i_dur=MS, i_amp=0.3, delta_t=DT, t_max=MS), verbose=False
)
v = np.asarray(jx.integrate(cell, delta_t=DT))
save(
    "jaxley_cable", f"Jaxley {jx.__version__}", "branched HH cell, 6.3 degC, dt 0.025 ms, double precision",
    branched=v[:, ::EVERY].T.astype(np.float32), every=EVERY,
)  # fmt: skip
