"""The devices of a plan, with memory, speed and bandwidth from the vendors' data sheets."""

import os
from dataclasses import dataclass
from typing import Literal

DeviceName = Literal["cpu", "h200", "h100", "a100", "l40s", "l4", "a10g", "rtx4090", "t4"]

# Share of a GPU's peak that training reaches: a 3B model in 16 bits on one H200 reached 0.26 (experiments/LOG.md).
UTILISATION = 0.25
# Operations a second that one core of a server's CPU reaches in float32 (experiments/LOG.md: 94 tokens a second in
# training a model of 135 million weights).
CORE = 5e10


@dataclass(frozen=True)
class Device:
    """A device: one GPU, or the CPU of this machine."""

    name: DeviceName
    memory: float  # bytes
    operations: float  # per second: of a GPU the dense 16-bit peak, of a CPU the measured speed
    bandwidth: float  # bytes per second
    utilisation: float  # share of `operations` that is reached

    @property
    def reached(self) -> float:
        """Operations per second that a computation reaches on this device."""
        return self.operations * self.utilisation

    def assumption(self) -> str:
        """Returns the assumption behind `reached` as text for the plan."""
        if self.name == "cpu":
            cores = round(self.operations / CORE)
            share = "" if self.utilisation == 1 else f"{self.utilisation:.0%} of "
            return f"{share}{self.operations / 1e12:.2g} TFLOP/s on {cores} core{'s' * (cores != 1)}"
        return f"{self.utilisation:.0%} of the {self.operations / 1e12:.0f} TFLOP/s of one {self.name}"


# name: (gigabytes, dense 16-bit operations a second, bytes a second)
GPUS: dict[DeviceName, tuple[float, float, float]] = {
    "h200": (141, 989e12, 4.8e12),
    "h100": (80, 989e12, 3.35e12),
    "a100": (80, 312e12, 2.04e12),
    "l40s": (48, 362e12, 0.864e12),
    "l4": (24, 121e12, 0.3e12),
    "a10g": (24, 70e12, 0.6e12),
    "rtx4090": (24, 165e12, 1.008e12),
    "t4": (16, 65e12, 0.32e12),
}


def device(name: DeviceName, utilisation: float | None = None, cores: int | None = None) -> Device:
    """Returns the device `name`.

    `utilisation`: share of the peak speed that is reached (None: the usual share). `cores`: number of CPU cores
    (None: all).
    """
    if name == "cpu":
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        return Device(name, memory, CORE * (cores or os.cpu_count() or 1), 2e10, utilisation or 1.0)
    gigabytes, operations, bandwidth = GPUS[name]
    return Device(name, gigabytes * 1e9, operations, bandwidth, utilisation or UTILISATION)
