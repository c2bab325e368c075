"""Words that decide whether what an announcement goes on with is an answer."""

CONNECTIVES = frozenset(
    """above after although among and as at based because before below between but by due during each every for from given
    hence i if in including into is are it its like me my near nor not now of off on only or our rather she he since so such
    than that the their then there therefore these they this those thus to under until upon was we were what when where whereas
    whether which while who whose why will with within without you your""".split()
)
"""Words before which a value ends."""

BEFORE_NUMBERS = frozenset("by in of out to".split())
"""Connectives that may stand between two numbers of one value: 3 to 1, 1 in 6."""

NO_VALUES = frozenset(
    """a an ambiguous analogous answer answers clear complicated computed correct could defined derived determined difficult do
    done easy enough final first follows found greater had has have hard here hidden incorrect integer invalid larger less let
    likely maybe missing never number obtained obvious pending perhaps possible probably ready reasonable right same see shown
    simple smaller solution straightforward sure the trivial uncertain unclear unknown unsure valid wrong yet""".split()
)
"""Words that no name or unit holds: they talk about an answer."""

MISSING = frozenset("nan null n/a <na> nat tbd".split())
"""Texts that stand for an answer that is missing."""

PLACEHOLDERS = frozenset("an and answer are final here is it its my of or our so that the this to was were your".split())
"""Words that are no answer even in a box."""

VERDICTS = frozenset("yes no true false".split())
"""Words that are answers in lower case too."""

FUNCTIONS = frozenset("sqrt sin cos tan cot sec csc log ln exp pi".split())

SCALES = frozenset("hundred thousand million billion trillion dozen half halves am pm".split())
"""Words after a number that change its value."""
