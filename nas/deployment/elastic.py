"""A stitched family as one PyTorch network, which runs any of its routes and switches between them at run time."""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.trial import Trial
from nas.deployment.artifact import data_of, open_folder, versions, write_preprocessing
from nas.deployment.standalone import check
from nas.member import pictures_of, recalibrated, trained_supernet
from nas.run import StoredRun
from nas.storage.files import write_atomically
from nas.training.checkpoint import weights_file
from predictors.hardware.counts import MAC_CONVENTIONS
from search_spaces.blocks import stitched_network
from search_spaces.core.errors import WrongUse

_NETWORK = '''

def network() -> ElasticNetwork:
    """The network with random weights; load model.safetensors into it."""
    import json
    from pathlib import Path

    from parts import {factory}

    return ElasticNetwork({factory}, **json.loads((Path(__file__).parent / "routes.json").read_text()))
'''
_LOAD = """\
from model import network
stitched = network()
stitched.load_state_dict(load_file(folder + "/model.safetensors"))
class EveryRoute(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stitched = stitched
    def forward(self, x):
        found = []
        for number in range(len(self.stitched.routes)):
            self.stitched.set_route(number)
            found.append(self.stitched(x))
        return torch.stack(found)
net = EveryRoute()
"""
_CARD = """\
# A family of {count} networks in one

Stitched from {anchors} by FitNAS (space `{space}`, run `{run}`). One set of weights of {parameters:,} parameters runs
every route below; `set_budget` takes the most accurate one within a budget and moves no weights.

```python
from safetensors.torch import load_file
from model import network

net = network()
net.load_state_dict(load_file("model.safetensors"))
net.eval()
net.set_budget(macs={middle:g})  # returns the route; ValueError below the cheapest
logits = net(pictures)  # float32 (n, channels, height, width), prepared as preprocessing.json says
```

| route | MACs | validation accuracy |
|---|---|---|
{rows}

MACs: {convention}.
"""


class _EveryRoute(nn.Module):
    """The logits of several networks (networks, n, classes)."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(x) for network in self.networks])


def export_run(run: StoredRun, out: Path, *, force: bool = False) -> Path:
    """Writes the network of all evaluated routes; low-rank updates are merged.

    Batch norms get each route's own statistics, as its evaluation had them. The network is loaded in a clean
    interpreter, where every route has to give the logits of its plain network; `FitnasError` where one differs by 1e-5.
    `WrongUse` where the run stitches nothing.
    """
    space: Any = run.parts.space
    if not space.names_trained:
        raise WrongUse(f"run '{run.name}' has networks of '{space.name}', which are no routes of one: leave --all away")
    trials = sorted(
        (trial for trial in run.trials if trial.state == "complete"), key=lambda trial: trial.metrics["macs"]
    )
    supernet, pictures = trained_supernet(run).eval(), pictures_of(run)
    plain = [recalibrated(run, supernet.extract(trial.architecture), trial, pictures) for trial in trials]
    open_folder(out, force)
    routes = [space.route_spec(space.route(t.architecture), int(t.metrics["macs"]), t.metrics["top1"]) for t in trials]
    arguments = {"anchors": space.anchors, "routes": routes}
    elastic = _merged(space.family.build, arguments, supernet, plain)
    source = inspect.getsource(stitched_network).rstrip()
    write_atomically(out / "model.py", source + "\n" + _NETWORK.format(factory=space.family.factory))
    write_atomically(out / "parts.py", inspect.getsource(importlib.import_module(space.family.module)))
    write_atomically(out / "routes.json", json.dumps(arguments, indent=1) + "\n")
    write_atomically(out / "model.safetensors", weights_file(elastic))
    write_preprocessing(run, trials[0], out, run.data_document())
    _describe(run, out, trials, elastic)
    check(out, _EveryRoute(plain).eval(), space.input_size(trials[0].architecture), _LOAD)
    return out


def next_step(written: Path) -> str:
    """What to look at."""
    return f"cat {written / 'README.md'}"


@torch.no_grad()
def _merged(build: Any, arguments: dict[str, Any], supernet: Any, plain: list[nn.Module]) -> nn.Module:
    """The elastic network with plain stitch layers, and the batch-norm statistics of each route's plain network."""
    elastic: Any = stitched_network.ElasticNetwork(build, **arguments)
    shared = dict(supernet.anchors.named_parameters())
    for name, parameter in elastic.anchors.named_parameters():
        parameter.copy_(shared[name])
    for number, stitch in elastic.stitches.items():
        stitch.weight.copy_(supernet.stitches[number].merged())
        stitch.bias.copy_(supernet.stitches[number].bias)
    for route, network in enumerate(plain):
        elastic.keep_statistics(route, network)
    found: nn.Module = elastic.eval()
    return found


def _describe(run: StoredRun, out: Path, trials: list[Trial], elastic: nn.Module) -> None:
    """The manifest and the card."""
    space: Any = run.parts.space
    rows = [(space.route(t.architecture).name, int(t.metrics["macs"]), t.metrics["top1"]) for t in trials]
    convention = MAC_CONVENTIONS[run.config.mac_convention]
    manifest = {
        "run": run.name,
        "space": space.name,
        "anchors": [anchor.name for anchor in space.settings.anchors],
        "routes": [{"name": name, "macs": macs, "validation_top1": top1} for name, macs, top1 in rows],
        "budget": run.parts.budget.describe(run.parts.runtime),
        "mac_convention": convention,
        "data": data_of(run.data_document()),
        "seed": run.config.seed,
        "versions": versions(),
    }
    write_atomically(out / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    card = _CARD.format(
        count=len(rows),
        anchors=", ".join(anchor.name for anchor in space.settings.anchors),
        space=space.name,
        run=run.name,
        parameters=sum(parameter.numel() for parameter in elastic.parameters()),
        middle=rows[len(rows) // 2][1],
        rows="\n".join(f"| `{name}` | {macs:,} | {100 * top1:.1f} % |" for name, macs, top1 in rows),
        convention=convention,
    )
    write_atomically(out / "README.md", card)
