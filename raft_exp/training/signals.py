"""Counts SIGTERM, SIGUSR1 (SLURM's warning before it requeues) and Ctrl-C, so that training ends after its step."""

import signal
import threading
from types import FrameType

NOTED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class SignalCounter:
    """Counts the signals of NOTED in `counts`. A second Ctrl-C raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.counts = [0] * len(NOTED)

    def listen(self) -> None:
        """Installs the handlers, in place of Lightning's; Lightning restores the earlier ones when it ends.

        Lightning's own handler broadcasts to the other processes, which may be in the middle of another collective
        operation. Outside the main thread Python cannot install handlers.
        """
        if threading.current_thread() is threading.main_thread():
            for number in NOTED:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        place = NOTED.index(signal.Signals(number))
        self.counts[place] += 1
        if number == signal.SIGINT and self.counts[place] > 1:
            raise KeyboardInterrupt
