"""What holds for every test."""

import os

from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right.
# Where changes are let in, the same examples are tried every time: what passed passes again.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")
