"""Learning: from settings and an execution to whoever trains a domain."""

from dataclasses import replace

from locality.domain.domain import Domain
from locality.model.settings import Settings
from locality.training.execution import Execution
from locality.training.options import TrainingOptions
from locality.training.trainer import Ledger, Trainer

__all__ = ["trainer_for", "training_options"]


def training_options(settings: Settings, execution: Execution) -> TrainingOptions | None:
    """How networks are trained; None if the closed form stands alone."""
    options = settings.training
    return options and replace(options, device=execution.device)


def trainer_for(
    domain: Domain,
    settings: Settings,
    execution: Execution,
    options: TrainingOptions | None,
    ledger: Ledger | None = None,
) -> Trainer:
    """The trainer of a domain.

    Parameters
    ----------
    domain : Domain
    settings : Settings
    execution : Execution
    options : TrainingOptions or None
        From `training_options`, possibly shortened; None for closed forms.
    ledger : Ledger, optional
        Where finished shards are kept, and looked for.
    """
    most = {"max_radius": settings.max_radius, "max_slots": settings.max_slots}
    return Trainer(
        domain,
        settings.radius,
        options,
        settings.seed,
        execution.workers(networks=options is not None),
        ledger=ledger,
        **{name: value for name, value in most.items() if value is not None},
    )
