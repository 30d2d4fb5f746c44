"""The few building blocks that the networks share."""

from itertools import pairwise

from wildcell.models.neural.backend import Module, Tensor, torch


def mlp(*widths: int, dropout: float = 0.0, norm: bool = True) -> Module:
    """Return linear layers with layer norm, ReLU and dropout between them.

    Parameters
    ----------
    widths
        From the input's to the output's.
    dropout
        Share of the hidden units that are left out in training.
    norm
        Whether hidden layers are normalised.
    """
    nn, layers = torch.nn, []
    for before, after in pairwise(widths):
        layers.append(nn.Linear(before, after))
        layers.append(nn.LayerNorm(after) if norm else nn.Identity())
        layers += [nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-3])


def deep(n_in: int, width: int, n_out: int, *, n_layers: int, dropout: float = 0.0) -> Module:
    """Return an `mlp` of `n_layers` linear layers, all hidden ones of one width."""
    return mlp(n_in, *[width] * (n_layers - 1), n_out, dropout=dropout)


def squared_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared error, in float32."""
    return torch.nn.functional.mse_loss(found.float(), wanted.float())


def sampled(mean: Tensor, log_sd: Tensor) -> Tensor:
    """Draw from normal distributions, so that gradients reach their parameters."""
    return mean + torch.exp(log_sd) * torch.randn_like(mean)


def divergence(mean: Tensor, log_sd: Tensor) -> Tensor:
    """Return the divergence of normal distributions from the standard one, summed over columns.

    Shape (n,) of arguments of shape (n, n_dimensions).
    """
    return 0.5 * (mean**2 + torch.exp(2 * log_sd) - 1 - 2 * log_sd).sum(dim=-1)


def halves(values: Tensor, *, least: float = -7.0, most: float = 3.0) -> tuple[Tensor, Tensor]:
    """Split columns into means and bounded logarithms of standard deviations."""
    mean, log_sd = values.float().chunk(2, dim=-1)
    return mean, log_sd.clamp(least, most)
