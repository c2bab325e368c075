"""Maps the repository's root to the package ``epf``. All other metadata is in pyproject.toml."""

from setuptools import find_packages, setup

NOT_SHIPPED = ["benchmarks*", "build*", "docs*", "tests*"]

setup(package_dir={"epf": "."}, packages=["epf", *(f"epf.{room}" for room in find_packages(exclude=NOT_SHIPPED))])
