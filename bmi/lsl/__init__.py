"""Lab Streaming Layer: the only package besides ``bmi.clock`` that touches liblsl.

``info`` says what a stream is, ``outlet`` sends, ``inlet`` receives, ``watch`` notices that a sender came
back as something else, ``config`` keeps two sessions on one network apart. Nothing is imported here, so that
``config`` can be used before liblsl reads its environment.
"""
