"""Lab Streaming Layer: the only package besides ``bmi.clock`` that touches liblsl.

``info`` says what a stream is and how two differ, ``outlet`` sends, ``inlet`` receives over a ``link``, ``match`` finds
the stream a recipe means, ``watch`` finds out who returns when it falls silent, ``notes`` keeps what there is to tell.
``markers`` are text at its time. ``config`` keeps two sessions on one network apart. Nothing is imported here, so that
``config`` can be used before liblsl reads its environment.
"""
