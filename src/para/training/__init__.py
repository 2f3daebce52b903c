"""Training: the one loop that fits any policy to any chunk data, and the checkpoints that it leaves.

To add a schedule or an optimiser, extend `optim.py`; a policy or a dataset needs nothing here.
"""

from para.training.checkpoint import describe, load_policy, save_policy, weights_hash
from para.training.configs import config_from_dict, config_hash, config_to_dict
from para.training.engine import train
from para.training.optim import OptimConfig
from para.training.options import TrainConfig, TrainResult
from para.training.transfer import Transfer, start_from, transfer_weights

__all__ = [
    "OptimConfig",
    "TrainConfig",
    "TrainResult",
    "Transfer",
    "config_from_dict",
    "config_hash",
    "config_to_dict",
    "describe",
    "load_policy",
    "save_policy",
    "start_from",
    "train",
    "transfer_weights",
    "weights_hash",
]
