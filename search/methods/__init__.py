"""Search methods, one file each; ``METHODS`` is the registry."""

from typing import Final

from epf.search.methods.adaptive import ADAPTIVE
from epf.search.methods.beam import BEAM
from epf.search.methods.best_of_n import BEST_OF_N, WEIGHTED_BEST_OF_N
from epf.search.methods.dvts import DVTS
from epf.search.methods.epf import EPF
from epf.search.methods.epf_pool import EPF_POOL
from epf.search.methods.epf_published import EPF_PUBLISHED
from epf.search.methods.ipf import IPF
from epf.search.methods.method import Method
from epf.search.methods.particle_gibbs import PARTICLE_GIBBS
from epf.search.methods.pf import PF
from epf.search.methods.pf_once import PF_ONCE
from epf.search.methods.sample import SAMPLE
from epf.search.methods.self_consistency import SELF_CONSISTENCY
from epf.search.options import MethodName

METHODS: Final[dict[MethodName, Method]] = {
    method.name: method
    for method in (
        EPF,
        PF,
        PF_ONCE,
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

__all__ = ["METHODS", "Method"]
