"""How the state of heads comes back with a model: `from_pretrained` attaches it before it reads the weights.

`transformers` has one place where a saved model may ask for other modules than its class builds, that of quantizers,
and it calls what is registered there by the name in `config.json`.
"""

from __future__ import annotations

from typing import Any

from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from hamming.distill.huggingface.attention import NAME
from hamming.distill.huggingface.reach import attach
from hamming.distill.method.convert import set_tables

__all__ = ["HammingConfig", "HammingQuantizer"]


class HammingConfig(QuantizationConfigMixin):
    """`quantization_config` in the `config.json` of a prepared model; all else is in its weights.

    Parameters
    ----------
    n_tables
        Softmax tables of each head.
    """

    def __init__(self, n_tables: int = 1, **kwargs: Any) -> None:
        kwargs.pop("quant_method", None)
        self.n_tables = n_tables
        if kwargs:
            raise ValueError(f"quantization_config must have no {', '.join(kwargs)}: heads have their state in buffers")
        self.quant_method = NAME  # type: ignore[assignment]  # transformers' own are of an enumeration


class HammingQuantizer(HfQuantizer):
    """Attaches the state of heads to a model that `prepare` had made ready when it was saved."""

    def validate_environment(self, *args: Any, **kwargs: Any) -> None:
        if not self.pre_quantized:
            raise ValueError("load the model as it is, then call hamming.huggingface.prepare(model)")

    def update_attn_implementation(self, config: Any) -> Any:
        config._attn_implementation = NAME
        return config

    def _process_model_before_weight_loading(self, model: Any, **kwargs: Any) -> Any:
        attach(model)
        set_tables(model, self.quantization_config.n_tables)  # type: ignore[attr-defined]
        return model

    def _process_model_after_weight_loading(self, model: Any, **kwargs: Any) -> Any:
        model.is_quantized = False  # its weights are not: half(), float() and training are as before
        return model

    def is_serializable(self) -> bool:
        return True

    @property
    def is_trainable(self) -> bool:
        return True


register_quantization_config(NAME)(HammingConfig)
register_quantizer(NAME)(HammingQuantizer)
