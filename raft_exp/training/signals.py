"""Counts SIGTERM, SIGUSR1 (SLURM's warning before a requeue) and Ctrl-C. Training then ends after the current step."""

import signal
import threading
from types import FrameType

NOTED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class SignalCounter:
    """Counts signals in `counts`, in the order of NOTED. A second Ctrl-C raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.counts = [0] * len(NOTED)

    def listen(self) -> None:
        """Installs the signal handlers; does nothing outside the main thread, where Python cannot install any.

        The handlers replace those of Lightning, which call a collective operation (broadcast) while the other processes
        may be in a different operation. Lightning restores the previous handlers at the end of training.
        """
        if threading.current_thread() is threading.main_thread():
            for number in NOTED:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        place = NOTED.index(signal.Signals(number))
        self.counts[place] += 1
        if number == signal.SIGINT and self.counts[place] > 1:
            raise KeyboardInterrupt
