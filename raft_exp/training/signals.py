"""Counts SIGTERM, SIGUSR1 (SLURM's warning before a requeue) and Ctrl-C. Training then ends after the current step."""

import signal
import threading
from types import FrameType

NOTED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class SignalCounter:
    """Counts the signals of NOTED in `counts`, in their order. A second Ctrl-C raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.counts = [0] * len(NOTED)

    def listen(self) -> None:
        """Installs the signal handlers; does nothing outside the main thread, where Python cannot install any.

        They replace Lightning's handlers, which broadcast to the other processes: these may be within another
        collective operation. Lightning restores the previous handlers at the end of training.
        """
        if threading.current_thread() is threading.main_thread():
            for number in NOTED:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        place = NOTED.index(signal.Signals(number))
        self.counts[place] += 1
        if number == signal.SIGINT and self.counts[place] > 1:
            raise KeyboardInterrupt
