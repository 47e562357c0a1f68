"""The normaliser against numpy, the densities against torch.distributions."""

import numpy as np
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vbotd.train.nets import Normaliser, entropy, gaussian_kl, log_prob, mlp


def test_normaliser_equals_numpy_over_all_batches():
    rng = np.random.default_rng(0)
    batches = [rng.normal(3.0, 5.0, (n, 4)).astype(np.float32) for n in (1, 7, 100)]
    normaliser = Normaliser(4)
    for batch in batches:
        normaliser.update(torch.from_numpy(batch))
    everything = np.concatenate(batches).astype(np.float64)
    np.testing.assert_allclose(normaliser.mean.numpy(), everything.mean(0), rtol=1e-10)
    np.testing.assert_allclose(normaliser.var.numpy(), everything.var(0), rtol=1e-10)
    expected = (batches[2] - everything.mean(0)) / np.sqrt(everything.var(0) + 1e-4)
    np.testing.assert_allclose(normaliser(torch.from_numpy(batches[2])).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_densities_equal_those_of_torch():
    torch.manual_seed(0)
    mean, old_mean, action = torch.randn(3, 5, 2)
    log_std, old_log_std = torch.randn(2, 2) * 0.3
    new = Independent(Normal(mean, log_std.exp()), 1)
    old = Independent(Normal(old_mean, old_log_std.exp()), 1)
    torch.testing.assert_close(log_prob(action, mean, log_std), new.log_prob(action))
    torch.testing.assert_close(entropy(log_std), new.entropy()[0])
    torch.testing.assert_close(gaussian_kl(old_mean, old_log_std, mean, log_std), kl_divergence(old, new).mean())


def test_a_trace_and_its_descent_have_the_outputs_and_gradients_of_the_layers():
    torch.manual_seed(0)
    network = mlp(5, [16, 8], 3, last_gain=1.0)
    obs = torch.randn(32, 5) * torch.logspace(-6, 2, 32)[:, None]
    whole = network(obs)
    whole.square().sum().backward()
    expected = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad(set_to_none=False)
    output, inputs = network.trace(obs)
    network.descend(inputs, 2.0 * output)
    torch.testing.assert_close(output, whole, rtol=1e-5, atol=1e-5)
    for parameter, one in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, one, rtol=1e-5, atol=1e-4)
    assert all(float(one.abs().max()) > 0.0 for one in expected)
