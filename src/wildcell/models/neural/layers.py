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
