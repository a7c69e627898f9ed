"""A stopwatch of wall time and CPU time."""

import time


class Clock:
    """Runs from its construction. Compare CPU seconds on a machine that does other work as well."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def figures(self) -> dict[str, float]:
        """Wall seconds and CPU seconds of this process since the start."""
        return {"seconds": time.monotonic() - self._wall, "cpu_seconds": time.process_time() - self._cpu}
