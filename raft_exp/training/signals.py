"""SIGTERM, SIGUSR1 (SLURM's warning before it requeues) and Ctrl-C are noted, and training ends after its step."""

import signal
import threading
from typing import Any

NOTED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class SignalCounter:
    """`counts` says how often each of NOTED has come. A second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.counts = [0] * len(NOTED)

    def listen(self) -> None:
        """Takes the signals, also from Lightning, which gives them back to their owners when it ends.

        Its own handler would broadcast to the other processes in the middle of whatever they compute together.
        Outside the main thread Python cannot listen.
        """
        if threading.current_thread() is threading.main_thread():
            for number in NOTED:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        place = NOTED.index(signal.Signals(number))
        self.counts[place] += 1
        if number == signal.SIGINT and self.counts[place] > 1:
            raise KeyboardInterrupt
