"""Checks of a reward model's server: which reward model it serves, and the route of its family."""

from collections.abc import Iterator
from contextlib import aclosing

from epf.diagnosis.check import Check
from epf.diagnosis.endpoint import Endpoint
from epf.diagnosis.finding import Outcome, ok
from epf.diagnosis.server_checks import MODEL, Routes, ServerChecks
from epf.reward_models.by_ids import ROUTES
from epf.reward_models.discovery import SCORING_SERVER, ServedRewardModel, find_reward_model
from epf.reward_models.judge import PROMPTS

CHATS: Routes = {"/v1/chat/completions": {**MODEL, "messages": {}}}


class RewardModelServer(ServerChecks):
    """Checks of one server of a reward model of this family; None if it is to be found out."""

    def __init__(self, endpoint: Endpoint, name: str | None, family: str | None) -> None:
        super().__init__(endpoint, name)
        self._family = family
        self._served: ServedRewardModel | None = None

    def own_checks(self) -> Iterator[Check]:
        """Which reward model it serves."""
        yield Check("server", self._server, ("response", "key"))

    def routes(self) -> Routes:
        """Where a reward model of this family is served; before the family is known, all routes of reward models."""
        if self._served is not None and self._served.family is None:
            return {"/score": {}}
        family = self._family if self._served is None else self._served.family
        if family in PROMPTS:
            return CHATS
        heads = {path: {**MODEL, "prompt": {}, "input": {}} for path in ROUTES.values()}
        return heads if family is not None else {"/score": {}, **heads, **CHATS}

    async def _server(self) -> Outcome:
        """The reward model and its family."""
        async with aclosing(self.endpoint.upstream()) as upstream:
            self._served = served = await find_reward_model(upstream, self.name, self._family)
        self.name = served.name
        return ok(f"{served.name}, " + (f"family {served.family}" if served.family else f"scored by {SCORING_SERVER}"))
