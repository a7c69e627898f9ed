"""How long something took."""

import time


class Clock:
    """Started when it is made. CPU seconds are what counts on a machine that does other work as well."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def figures(self) -> dict[str, float]:
        """Seconds since the start, by the wall and of this process's CPU."""
        return {"seconds": time.monotonic() - self._wall, "cpu_seconds": time.process_time() - self._cpu}
