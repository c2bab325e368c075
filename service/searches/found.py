"""What was found when the models were loaded, for the log and the terminal: one line per model."""

from pathlib import Path

from epf.core.description import description_of
from epf.core.reward_model import RewardModel
from epf.reward_models.product import parts
from epf.search.methods import METHODS
from epf.search.runner import default_method
from epf.service.searches.models import Models
from epf.service.settings import Settings


def found(settings: Settings, models: Models) -> list[str]:
    """The models, and the method of a search that names none."""
    generator, scored_by = models.generator, models.reward_model
    lines = [f"generator {generator.name}: {description_of(generator)}"]
    method = f"the default method is {_method(settings)}"
    if scored_by is None:
        *names, last = sorted(name for name, each in METHODS.items() if models.serve(each))
        why = "none was asked for" if settings.reward_model.kind else "none was named (--reward-model, EPF_REWARD_MODEL)"
        return [*lines, f"no reward model, since {why}: only {', '.join(names)} and {last} can be used; {method}"]
    lines.append(f"{reward_model_line(settings, scored_by)}; {method}")
    if settings.learned is not None:
        lines.append(f"profile of these models: {', '.join(settings.learned.options) or 'the defaults of epf'}")
    return lines


def reward_model_line(settings: Settings, reward_model: RewardModel) -> str:
    """The reward model, or each of several, and how it is asked."""
    lines = []
    for each, options in zip(parts(reward_model), settings.reward_model.all, strict=False):
        calibrated = "calibrated" if options.calibration else ""
        name = Path(each.name).name if each.name.startswith("/") else each.name
        lines.append(f"reward model {name}: {', '.join(filter(None, (description_of(each), calibrated)))}")
    return "; ".join(lines)


def _method(settings: Settings) -> str:
    return str(settings.search.chosen().get("method", default_method(settings.has_reward_model)))
