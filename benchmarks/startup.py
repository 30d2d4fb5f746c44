"""How long a user waits before anything happens: `python benchmarks/startup.py`.

Prints the median of repeated runs, in seconds and as a ratio to starting Python alone.
"""

import statistics
import subprocess
import sys
import time

REPEATS = 9

COMMANDS = {
    "python alone": ["-c", "pass"],
    "import wildcell": ["-c", "import wildcell"],
    "wildcell --help": ["-m", "wildcell.cli.main", "--help"],
    "wildcell run --help": ["-m", "wildcell.cli.main", "run", "--help"],
}


def median_seconds(arguments: list[str]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    seconds = {name: median_seconds(arguments) for name, arguments in COMMANDS.items()}
    alone = seconds["python alone"]
    for name, taken in seconds.items():
        print(f"{name:22} {taken:6.3f} s   {taken / alone:5.1f} x python alone")


if __name__ == "__main__":
    main()
