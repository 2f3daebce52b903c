"""Low-rank adaptation (Hu et al., ICLR 2022) through `peft`: two small matrices beside each chosen linear layer."""

from __future__ import annotations

from torch import nn

PROJECTIONS = ("q_proj", "v_proj", "query", "value")
"""Attention's query and value projections, as in the publication, by the names that versions of transformers give."""


def add_lora(layers: nn.Module, rank: int, alpha: float) -> None:
    """Put a trainable update of low rank beside each query and value projection, and freeze all else of `layers`.

    The update is alpha / rank * B A with B zero at first, so that features begin as they were.

    Raises:
        ImportError: where peft is not installed; it names the extra.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(
            "mode 'lora' of a DINO backbone needs peft: in para's folder, pip install -e '.[dino,lora]'"
        ) from error
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(PROJECTIONS)), layers)
    for name, parameter in layers.named_parameters():
        parameter.requires_grad_(is_lora(name))


def is_lora(name: str) -> bool:
    """Whether a parameter of that name is one of LoRA's matrices."""
    return "lora_" in name
