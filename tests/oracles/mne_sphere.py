"""Lead fields of EEG and MEG in MNE's sphere model: a realistic cap, dipoles all over the cortex.

EEG: four shells of the same radii and conductivities; MNE approximates them by three dipoles in a homogeneous sphere
(Berg & Scherg 1994). MEG: point magnetometers around the head.

    <env>/bin/python tests/oracles/mne_sphere.py
"""

from __future__ import annotations

import mne
import numpy as np
from store import save

RADII_MM = np.array([79.0, 80.0, 85.0, 90.0])
SIGMAS_S_M = np.array([0.3, 1.5, 0.015, 0.3])
mne.set_log_level("ERROR")

cap = mne.channels.make_standard_montage("standard_1020")
names = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1",
         "O2", "FC5", "FC6", "CP5", "CP6", "AF3", "AF4", "PO3", "PO4", "FCz", "CPz", "POz", "C5", "C6"]  # fmt: skip
there = cap.get_positions()["ch_pos"]
scalp = np.array([there[n] for n in names])
middle, *_ = np.linalg.lstsq(np.c_[2 * scalp, np.ones(len(scalp))], (scalp**2).sum(1), rcond=None)
scalp = scalp - middle[:3]
electrodes_mm = 90.0 * scalp / np.linalg.norm(scalp, axis=1, keepdims=True)

rng = np.random.default_rng(8)
bearings = rng.standard_normal((40, 3))
bearings[:, 2] = np.abs(bearings[:, 2])
bearings /= np.linalg.norm(bearings, axis=1, keepdims=True)
sources_mm = bearings * rng.uniform(40.0, 74.0, (40, 1))

info = mne.create_info(names, 1000.0, "eeg")
info.set_montage(mne.channels.make_dig_montage(dict(zip(names, 1e-3 * electrodes_mm, strict=True)), coord_frame="head"))
sphere = mne.make_sphere_model(
    r0=(0.0, 0.0, 0.0), head_radius=0.09, relative_radii=tuple(RADII_MM / 90.0), sigmas=tuple(SIGMAS_S_M)
)
identity = mne.transforms.Transform("head", "mri")
source_space = mne.setup_volume_source_space(
    pos={"rr": 1e-3 * sources_mm, "nn": np.tile([0.0, 0.0, 1.0], (40, 1))}, sphere=sphere, sphere_units="m"
)
forward = mne.make_forward_solution(info, identity, source_space, sphere, meg=False, eeg=True, mindist=0.0)
used = np.flatnonzero(forward["src"][0]["inuse"])
eeg = forward["sol"]["data"].reshape(len(names), -1, 3) * 1e-3  # V/(A·m) to µV/(nA·m)

turn = np.arange(30) * np.pi * (3.0 - np.sqrt(5.0))
z = 1.0 - (np.arange(30) + 0.5) / 30 * 4.0 / 3.0
e = np.stack([np.sqrt(1.0 - z**2) * np.cos(turn), np.sqrt(1.0 - z**2) * np.sin(turn), z], axis=1)
coils = [f"m{i}" for i in range(30)]
magnetic = mne.create_info(coils, 1000.0, "mag")
for place, way, channel in zip(0.12 * e, e, magnetic["chs"], strict=True):
    x = np.cross(way, [0.0, 0.0, 1.0] if abs(way[2]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    channel["loc"] = np.r_[place, x, np.cross(way, x), way]
    channel["coil_type"] = mne.io.constants.FIFF.FIFFV_COIL_POINT_MAGNETOMETER
    channel["coord_frame"] = mne.io.constants.FIFF.FIFFV_COORD_DEVICE
magnetic["dev_head_t"] = mne.transforms.Transform("meg", "head")
forward = mne.make_forward_solution(magnetic, identity, source_space, sphere, meg=True, eeg=False, mindist=0.0)
meg = forward["sol"]["data"].reshape(30, -1, 3) * 1e6  # T/(A·m) to fT/(nA·m)

save(
    "mne_sphere", f"MNE-Python {mne.__version__}", "lead fields of EEG, µV/(nA·m), and MEG, fT/(nA·m), in spheres",
    electrodes_mm=electrodes_mm, sources_mm=sources_mm[used], eeg=eeg, coils_mm=120.0 * e, directions=e, meg=meg,
    radii_mm=RADII_MM, sigmas_s_m=SIGMAS_S_M,
)  # fmt: skip
