"""The source of a network, as an export carries it, in an interpreter that knows nothing of ours."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from nas.deployment.standalone import check, model_source
from search_spaces.core.space import Blueprint

_LOAD = """\
from model import network
net = network()
net.load_state_dict(load_file(folder + "/model.safetensors"))
"""


def test_a_transformer_with_relative_positions_and_reductions(tmp_path: Path) -> None:
    """On a map with odd sides, whose tokens gain channels."""
    layer = {"heads": 2, "head_dim": 4, "mlp": 16}
    arguments = {
        "input_size": [3, 20, 28],
        "tokenizer": [{"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}],
        "layers": [layer] * 3,
        "classes": 5,
        "pool": "patches",
        "reach": 3,
        "reductions": [{"after": 1, "out": 12}, {"after": 2, "out": 12}],
    }
    blueprint = Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments)
    torch.manual_seed(0)
    network = blueprint.build().eval()
    (tmp_path / "model.py").write_text(model_source(blueprint))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    check(tmp_path, network, (3, 20, 28), _LOAD)
