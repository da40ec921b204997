"""All settings of a run, and the one place to import any of them from.

Frozen dataclasses, without torch, so that `drumhead VERB --help` stays instant. Each field's docstring is the help
text of its flag. A config goes to TOML (`config.toml` of a run) and back without loss.
"""

from dataclasses import dataclass, field

from drumhead.settings.base import refuse_unknown as refuse_unknown
from drumhead.settings.layers import Attention as Attention
from drumhead.settings.layers import Bottleneck as Bottleneck
from drumhead.settings.layers import Boundary as Boundary
from drumhead.settings.layers import Context as Context
from drumhead.settings.layers import Edge as Edge
from drumhead.settings.layers import Integrator as Integrator
from drumhead.settings.layers import Layer as Layer
from drumhead.settings.layers import Modes as Modes
from drumhead.settings.layers import Nonlinearity as Nonlinearity
from drumhead.settings.layers import Waves as Waves
from drumhead.settings.networks import CNN as CNN
from drumhead.settings.networks import FAMILIES as FAMILIES
from drumhead.settings.networks import LAYERS as LAYERS
from drumhead.settings.networks import NWM as NWM
from drumhead.settings.networks import ModelConfig as ModelConfig
from drumhead.settings.networks import Recurrent as Recurrent
from drumhead.settings.networks import ResNet as ResNet
from drumhead.settings.networks import Stack as Stack
from drumhead.settings.networks import UNet as UNet
from drumhead.settings.training import Augment as Augment
from drumhead.settings.training import ClassWeights as ClassWeights
from drumhead.settings.training import TrainConfig as TrainConfig


@dataclass(frozen=True)
class RunConfig:
    """All that defines a run; written to `config.toml`, and enough to repeat it."""

    preset: str = "tetrominoes/nwm-linear"
    """Where the other settings started from."""
    task: str = "tetrominoes"
    """Images and masks: a task's name."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files; empty for the others."""
    model: ModelConfig = field(default_factory=NWM)
    """The network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
