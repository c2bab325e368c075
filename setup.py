"""Maps the repository's root to the package ``epf``. All other metadata is in pyproject.toml."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NOT_SHIPPED = ["benchmarks*", "build*", "deploy*", "docs*", "tests*", "training*"]


class BuildPackage(build_py):
    """The root holds this file too, which is no module of the package."""

    def find_package_modules(self, package, package_dir):
        """Lists the modules of one package."""
        modules = super().find_package_modules(package, package_dir)
        return [module for module in modules if module[1] != "setup"]


setup(
    cmdclass={"build_py": BuildPackage},
    package_dir={"epf": "."},
    packages=["epf", *(f"epf.{room}" for room in find_packages(exclude=NOT_SHIPPED))],
)
