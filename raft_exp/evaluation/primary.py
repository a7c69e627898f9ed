"""The primary metric and the primary contrast (two arms) of a study. They are fixed before the run.

The verdict of the report is about this contrast, in this metric.
"""

from collections.abc import Mapping, Sequence

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import config_dataclass
from raft_exp.evaluation.metrics import METRICS, Profile
from raft_exp.evaluation.results import Primary

_AGAINST = ("rag", "sft_rag")  # the default comparison arm is the first of these in the study

ArmSettings = Mapping[str, Mapping[str, object]]  # arm -> {recipe, cot, ...}


@config_dataclass
class PrimaryConfig:
    """The primary metric and the two arms of the primary contrast. A value of null is replaced by a default."""

    metric: str | None = None
    arm: str | None = None
    against: str | None = None


def reference_arm(arms: ArmSettings) -> str:
    """Returns the reference arm, which is compared with each other arm.

    The reference is the arm `raft`, else the last arm with the recipe `raft`, else the last arm.
    """
    trained = [name for name, arm in arms.items() if arm.get("recipe") == "raft"]
    return "raft" if "raft" in arms else (trained or list(arms))[-1]


def resolve(config: PrimaryConfig, arms: ArmSettings, profile: Profile) -> Primary:
    """Returns the primary metric and contrast, with defaults in place of None.

    Defaults: `metric` is the first of the study's metrics (`profile`); `arm` is the `reference_arm`; `against` is
    `rag`, else `sft_rag`, else the first other arm, and None if there is no other arm. Raises ConfigError for an
    unknown name, if both arms are the same, and if the metric grades reasoning or its quotes, but one of the two arms
    writes none (cot=false).
    """
    _check("metric", config.metric, profile.metrics)
    for field in ("arm", "against"):
        _check(field, getattr(config, field), arms)
    metric = config.metric or profile.metrics[0]
    arm = config.arm or reference_arm(arms)
    if arm == config.against:
        raise ConfigError(
            f"evaluation.primary.against: got {arm!r}, which is the primary arm itself; name another arm, or another "
            "evaluation.primary.arm"
        )
    others = [name for name in arms if name != arm]
    against = config.against or next((name for name in (*_AGAINST, *others) if name in others), None)
    for name in (arm, against):
        if name and profile.of_reasons(metric) and not arms[name].get("cot"):
            graded = "quotes" if METRICS[metric].of_quotes else "reasoning"
            raise ConfigError(
                f"evaluation.primary.metric: got {metric!r}, which grades {graded}, but the arm {name!r} writes no "
                f"{graded} (cot=false); set evaluation.primary.arm and evaluation.primary.against to arms with "
                "cot=true, or choose another metric"
            )
    return {"metric": metric, "arm": arm, "against": against}


def _check(field: str, name: str | None, known: Sequence[str] | ArmSettings) -> None:
    if name is not None and name not in known:
        raise ConfigError(f"evaluation.primary.{field}: got {name!r}; {suggest(name, known)}")
