"""The arms: what each picks, as flags of `air select`, and what it is compared with."""
from dataclasses import dataclass

from . import StudyError

RANDOM, WEIGHTS, CONTROL = "random", "weights", "control"


@dataclass(frozen=True)
class Arm:
    """One way to choose or weigh training data.

    family: "choice" and "control", compared with the mean of the random draws of their seed;
    "weights", compared with the first draw; "random". Weights and the control change that draw.
    """

    name: str
    what: str
    select: tuple[str, ...] = ()
    family: str = "choice"
    step_weights: str = "none"       # kind of `air score --step-weights`
    without_copies: bool = False     # picks from the scores of --exclude-copies


def _both_ends(name, what, number):
    return (Arm(f"{name}-top", f"the highest {what}", ("--by", number)),
            Arm(f"{name}-bottom", f"the lowest {what}", ("--by", number, "--bottom")))


ARMS = {arm.name: arm for arm in (
    *_both_ends("influence", "influence", "influence"),
    *_both_ends("divergence", "divergence", "divergence"),
    *_both_ends("controlled", "divergence beyond that of random heads", "controlled"),
    *_both_ends("base-loss", "loss of the model as it is", "base_nll"),
    *_both_ends("entropy", "entropy of the model's predictions", "entropy"),
    *_both_ends("length", "number of response tokens", "num_tokens"),
    Arm("influence-in-base-loss", "the highest influence within equal parts by base loss",
        ("--by", "influence", "--stratify-by", "base_nll")),
    Arm("influence-in-repetition", "the highest influence within equal parts by repetition",
        ("--by", "influence", "--stratify-by", "repetition")),
    Arm("residual-top", "the highest influence after regression on base loss and repetition",
        ("--by", "residual:base_nll,repetition")),
    Arm("without-copies-top", "the highest influence, copies left out of the means",
        ("--by", "influence"), without_copies=True),
    Arm("weights-softmax", "a random pick with softmax step weights", family=WEIGHTS,
        step_weights="softmax"),
    Arm("weights-linear", "a random pick with linear step weights", family=WEIGHTS,
        step_weights="linear"),
    Arm("weights-top", "a random pick with two levels of step weights", family=WEIGHTS,
        step_weights="top"),
    Arm("mismatched", "a random pick whose responses answer another prompt: a harm that the study "
        "must see", family=CONTROL),
)}


def random_arm(draw):
    return Arm(f"random-{draw}", "a random pick", ("--random",), family=RANDOM)


def chosen_arms(config):
    """The random draws, then the arms of the configuration."""
    names = list(ARMS) if config.arms == ["all"] else config.arms
    for name in names:
        if name not in ARMS:
            raise StudyError(f"unknown arm {name}; known are {', '.join(ARMS)}, or all alone")
    return [random_arm(draw) for draw in range(config.random_draws)] + [ARMS[n] for n in names]
