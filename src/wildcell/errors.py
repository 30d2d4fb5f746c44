"""What can go wrong, in the few kinds a caller may want to tell apart.

Messages say what is wrong, what was found, and what would do.
"""


class BenchmarkError(Exception):
    """Anything wildcell refuses; the command line prints it without a traceback."""


class DataError(BenchmarkError):
    """A data file is unreadable, or does not hold what it must."""


class UnknownNameError(BenchmarkError):
    """A name that no registry, file or table knows."""


class OptionError(BenchmarkError):
    """An option that cannot be used as given."""


class SplitError(BenchmarkError):
    """A scenario that cannot be posed on this data set."""


class PredictionError(BenchmarkError):
    """A prediction that does not answer what was asked."""


class StoreError(BenchmarkError):
    """A place that cannot be read or written, or that holds something else."""


class MissingExtraError(BenchmarkError):
    """A feature whose optional libraries are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs libraries that are not installed; "
            f"run: pip install 'wildcell[{extra}]'"
        )
