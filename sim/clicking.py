"""When the user clicks: once the cursor has been seen inside the goal for a moment, and not again before an effect.

To click is to imagine a grasp for a fraction of a second, and that interferes with steering: users stop, click,
and wait for what comes of it [1]_, [2]_.

.. [1] Kim et al. (2011) IEEE TNSRE 19:193. Point and click with a velocity Kalman filter and a state classifier.
.. [2] Nuyujukian et al. (2018) PLoS ONE 13:e0204566. Clicking on a tablet computer.
"""

from __future__ import annotations


class Clicking:
    """The decision to click, on the user's grid; nothing in it is random.

    Parameters
    ----------
    after, hold, patience : int
        Grid steps the cursor must have been inside, the click is intended, and its effect is waited for. A new goal
        ends each of them.
    """

    def __init__(self, after: int, hold: int, patience: int) -> None:
        self._after, self._hold, self._patience = max(1, after), max(1, hold), max(0, patience)
        self._trial = -1.0
        self._inside = self._holding = self._waiting = 0

    def step(self, inside: bool, trial: float) -> bool:
        """Return whether a click is intended now, given what is perceived now.

        Parameters
        ----------
        inside : bool
            Something is asked, and the cursor is within its radius.
        trial : float
            Number of the goal's trial.
        """
        if trial != self._trial:
            self._trial = trial
            self._inside = self._holding = self._waiting = 0
        if self._holding:
            self._holding -= 1
            if self._holding:
                return True
            self._waiting = self._patience
        if self._waiting:
            self._waiting -= 1
            return False
        self._inside = self._inside + 1 if inside else 0
        if self._inside <= self._after:
            return False
        self._inside, self._holding = 0, self._hold
        return True
