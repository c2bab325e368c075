"""Search methods, one file each; ``METHODS`` is the registry."""

from typing import Final

from errors import InvalidRequest
from search.methods.adaptive import ADAPTIVE
from search.methods.beam import BEAM
from search.methods.best_of_n import BEST_OF_N, WEIGHTED_BEST_OF_N
from search.methods.dvts import DVTS
from search.methods.epf import EPF
from search.methods.epf_pool import EPF_POOL
from search.methods.epf_published import EPF_PUBLISHED
from search.methods.ipf import IPF
from search.methods.method import Method
from search.methods.particle_gibbs import PARTICLE_GIBBS
from search.methods.pf import PF
from search.methods.sample import SAMPLE
from search.methods.self_consistency import SELF_CONSISTENCY

METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        EPF,
        PF,
        EPF_PUBLISHED,
        EPF_POOL,
        PARTICLE_GIBBS,
        IPF,
        BEAM,
        DVTS,
        BEST_OF_N,
        WEIGHTED_BEST_OF_N,
        ADAPTIVE,
        SELF_CONSISTENCY,
        SAMPLE,
    )
}


def method_named(name: str) -> Method:
    """The registered method; raises ``InvalidRequest`` for another name."""
    if name not in METHODS:
        raise InvalidRequest(f"method must be one of {', '.join(sorted(METHODS))}, got {name!r}", param="method")
    return METHODS[name]


__all__ = ["METHODS", "Method", "method_named"]
