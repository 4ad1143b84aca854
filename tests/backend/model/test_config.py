import dataclasses

import pytest

from worldtracing.errors import WorldTracingError
from worldtracing.model.config import MODELS, ModelConfig, model_config

KWARGS = {
    "num_layers": 6,
    "decoder_embed_dim": 1536,
    "num_decoder_blocks": 36,
    "num_decoder_heads": 24,
    "num_head_blocks": 6,
    "layer_embed_mode": "film_adaln",
}


def test_official_arguments_describe_the_released_scene_model():
    config = ModelConfig.from_official(KWARGS, name="r69l", mode="scene", image_size=840, xyz_norm="median_log_global")
    assert config == MODELS["r69l"]


@pytest.mark.parametrize(
    "change", [{"predict_color": True}, {"layer_embed_mode": "concat"}, {"num_decoder_blocks": 35}, {"use_rope": False}]
)
def test_unknown_parts_are_refused(change):
    with pytest.raises(WorldTracingError) as caught:
        ModelConfig.from_official(KWARGS | change)
    assert caught.value.code == "WT-MODEL-CONFIG"


def test_unknown_normalization_is_refused():
    with pytest.raises(WorldTracingError):
        dataclasses.replace(MODELS["r75b"], xyz_norm="metric")


@pytest.mark.parametrize("part", ["ray_map", "validity"])
def test_a_convolutional_network_without_its_parts_is_refused(part):
    with pytest.raises(WorldTracingError, match="WT-MODEL-CONFIG"):
        dataclasses.replace(MODELS["bundled"], **{part: False})


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(WorldTracingError) as caught:
        model_config("r99")
    assert caught.value.code == "WT-MODEL-UNKNOWN"
    assert "r75b" in caught.value.fix
