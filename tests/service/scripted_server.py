"""``epf`` with scripted models in its registries, as a process of its own: ``python -m tests.service.scripted_server serve``.

A line ``load`` on standard input lets the generator's loading end, ``fail`` lets it fail, ``release`` lets held calls go on.
Standard output says ``held`` for each call of the generator that is held. A problem's first letter decides: ``h`` is held after
its first steps; of ``b`` one particle answers and the others are held; anything else is answered at once. Answers differ in
text and not in value, so that a worker process has to compare them.
"""

import asyncio
import sys
import threading
from collections import Counter

import epf.generators.registry
import epf.reward_models.registry
from epf.cli.main import main
from epf.core.generator import Sampling, Step
from tests.fakes import ScriptedGenerator, ScriptedRewardModel


class Lines:
    """Commands read from standard input."""

    def __init__(self) -> None:
        self.said = {word: threading.Event() for word in ("load", "fail", "release")}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.said[line.strip()].set()


lines = Lines()


class Generator(ScriptedGenerator):
    """Loads on command, and holds its calls until a command releases them."""

    def __init__(self, *_options: object) -> None:
        super().__init__()
        while not lines.said["load"].wait(0.01):
            if lines.said["fail"].is_set():
                raise RuntimeError("the weights are\nnot there")
        self.n_calls: Counter[str] = Counter()

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        problem = "".join(chr(id_ - 1000) for id_ in prefix_ids if id_ >= 1000)
        self.n_calls[problem] += 1
        if problem[0] == "b" and self.n_calls[problem] == 1:
            return Step((1,), r"\boxed{7}", "eos")
        begun = problem[0] == "b" or any(id_ < 1000 for id_ in prefix_ids)
        if problem[0] in "hb" and begun and not lines.said["release"].is_set():
            print("held", flush=True)
            while not lines.said["release"].is_set():
                await asyncio.sleep(0.01)
        step = await super().step(prefix_ids, sampling, seed)
        answer = "x + 1" if seed % 2 else "1 + x"
        return Step(step.token_ids, step.text.replace("42", answer).replace("41", answer), step.finish, step.log_probs)


epf.generators.registry.GENERATORS = {"scripted": Generator}
epf.reward_models.registry.REWARD_MODELS = {"scripted": lambda _: ScriptedRewardModel()}
sys.exit(main())
