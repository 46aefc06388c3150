"""What policies find where the answer is known, and what a task measures."""

import numpy as np
import pytest
import torch
from torch import nn

from nas.quantization.policies import policy, policy_names
from nas.quantization.policies.greedy import savings
from nas.quantization.policies.options import Options
from nas.quantization.policies.task import Task, divergence
from nas.quantization.quantized import quantize
from search_spaces.core.errors import FitnasError, Infeasible, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import quantizable_names, widths
from search_spaces.core.registry import space_class
from tests.nas.quantization.policies.small_tasks import Branches, menu, task_of

CHOOSING = [name for name in policy_names() if name != "uniform"]


def branches_task(allowed: str, swapped: bool = False) -> Task:
    """Room for one of two operators of equal price to stay wide; the linear one is free."""
    torch.manual_seed(0)
    prices = {"weight_bytes": [[-100, 0], [-100, 0], [0, 0]]}
    options = menu(["useless", "crucial", "linear"], allowed, prices, {"weight_bytes": 900})
    network = Branches(1e-3)
    if swapped:
        network.useless, network.crucial = network.crucial, network.useless
    return task_of(network, options)


@pytest.mark.parametrize("name", CHOOSING)
@pytest.mark.parametrize("allowed", ["w2,int8", "int8,fp32"])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_crucial_operator_keeps_its_bits(name: str, allowed: str, swapped: bool) -> None:
    task = branches_task(allowed, swapped)
    found = policy(name)(task)
    assert found[:2].tolist() == ([1, 0] if swapped else [0, 1])
    assert task.options.fits(found)


@pytest.mark.parametrize("name", policy_names())
def test_a_task_is_left_as_it_is(name: str) -> None:
    task = branches_task("w2,int8")
    task.options.limits["weight_bytes"] = 800  # type: ignore[index]
    before = {key: value.clone() for key, value in task.captured.graph.state_dict().items()}
    first = policy(name)(task)
    assert policy(name)(task).tolist() == first.tolist()
    after = task.captured.graph.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert not any(value.requires_grad and value.grad is not None for value in task.captured.graph.parameters())


def test_an_unknown_policy_is_named_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match="did you mean 'hessian'"):
        policy("hesian")


class TestUniform:
    def test_it_is_the_widest_that_fits(self) -> None:
        prices = {"weight_bytes": [[-300, -200, 0]] * 2}
        options = menu(["a", "b"], "w2,w4,int8", prices, {"weight_bytes": 700})
        network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1), nn.Flatten())
        assert policy("uniform")(task_of(network, options)).tolist() == [1, 1]

    def test_it_says_where_a_mixture_alone_would_fit(self) -> None:
        prices = {"weight_bytes": [[-300, 0], [-300, 0]], "bitops": [[0, -300], [0, -300]]}
        options = menu(["a", "b"], "w4,int8", prices, {"weight_bytes": 700, "bitops": 700})
        network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1), nn.Flatten())
        task = task_of(network, options)
        with pytest.raises(Infeasible, match="no uniform width of w4, int8 is within the budget"):
            policy("uniform")(task)
        for name in CHOOSING:  # greedy's steps all raise a figure: the program answers for it
            assert sorted(policy(name)(task).tolist()) == [0, 1]


class TestTask:
    @pytest.mark.parametrize("space_name", ["mcunetv2", "vit"])
    def test_a_loss_is_that_of_the_network_as_it_is_quantized(self, space_name: str) -> None:
        options = {"vit": {"preset": "micro"}, "mcunetv2": {"resolutions": "32"}}[space_name]
        space = space_class(space_name).configured(options, InputFacts(3, 32, 32, 5, 100))
        population = space.sample(np.random.default_rng(1), 1)
        table = space.decode(population)
        torch.manual_seed(0)
        network = space.build(population[0])
        size = space.input_size(population[0])[1:]
        batches = [torch.randn(8, 3, *size, generator=torch.Generator().manual_seed(n)) for n in range(2)]
        network.train()
        for _ in range(20):
            network(batches[0])  # batch norms see pictures
        head = [each for each in network.modules() if isinstance(each, torch.nn.Linear)][-1]
        with torch.no_grad():
            head.weight.mul_(30)  # untrained networks hardly tell classes apart, and float32 hardly what rounding costs
        task = Task.of(network.eval(), Options.of(table, widths("w4a8,int8"), "analytic", {}), batches)
        choice = np.arange(len(task.options.groups)) % 2
        quantized = quantize(network, quantizable_names(table), task.options.policy(choice), batches).simulated()
        with torch.no_grad():
            expected = np.mean([float(divergence(quantized(batch), network(batch))) for batch in batches])
        assert task.loss(choice) == pytest.approx(expected, rel=1e-3)
        assert expected > 1e-3

    def test_each_choice_is_paid_for_once(self) -> None:
        task = branches_task("w2,int8")
        first, again = task.one_at_a_time(), task.one_at_a_time()
        assert (first == again).all()
        assert task.spent.evaluations == 1 + 3
        assert first[:, 1].tolist() == [0.0, 0.0, 0.0]
        other = task.fresh(lambda done, total: None, task.known)
        other.one_at_a_time()
        assert other.spent.evaluations == 4

    def test_a_network_that_was_never_trained_is_refused(self) -> None:
        network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Flatten())
        options = menu(["a"], "w4,int8", {"weight_bytes": [[-3, 0]]}, {})
        with pytest.raises(FitnasError, match="never trained"):
            task_of(network, options)

    def test_constant_pictures_are_refused(self) -> None:
        options = menu(["a"], "w4a8,int8", {"weight_bytes": [[-3, 0]]}, {})
        with pytest.raises(FitnasError, match="one constant"):
            task_of(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), options, [torch.ones(4, 3, 6, 6)])


def test_divergence_is_that_of_the_distributions() -> None:
    p, q = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.25, 0.75], [0.9, 0.1]])
    expected = (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)) / 2
    assert float(divergence(q.log(), p.log())) == pytest.approx(expected, rel=1e-5)


def test_greedy_steps_lower_what_is_above_a_limit_and_raise_nothing() -> None:
    prices = {"weight_bytes": [[-600, -300, 0], [-50, -20, 0]], "bitops": [[0, 0, 0], [200, -10, 0]]}
    options = menu(["a", "b"], "w2,w4,int8", prices, {"weight_bytes": 600, "bitops": 2000})
    saved = savings(options, options.widest)
    assert saved[0].tolist() == [1.0, 0.75, 0.0]  # beyond the excess of 400 nothing counts
    assert saved[1].tolist() == [0.0, 0.05, 0.0]  # the first step would cost bit operations
