"""How long pages take to open in a browser: `python benchmarks/pages.py [FILE ...]`.

Opens each file in headless Chromium, and prints the seconds until its scores are there, until the
view of single conditions can be used, and what one search in it and one choice take. Without files,
a report of 5 models on 10,000 conditions in each of 5 scenarios is made up and opened.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 3.0
READY = "[...document.querySelectorAll('[data-picker]')].every((box) => box.dataset.ready)"


def made_up(folder: Path) -> Path:
    script = Path(__file__).with_name("leaderboard.py")
    options = ["--out", str(folder), "--models", "5", "--conditions", "10000", "--only", "report"]
    subprocess.run([sys.executable, str(script), *options], check=True)
    return folder / "report.html"


def timed(page: Page, path: Path) -> dict[str, float]:
    """Return the seconds that opening a file, and using it, takes."""
    start = time.perf_counter()
    page.goto(path.resolve().as_uri(), wait_until="load")
    loaded = time.perf_counter() - start
    page.wait_for_function(READY)
    found = {"opened": loaded, "usable": time.perf_counter() - start}
    picker = page.locator("[data-picker]").first
    if picker.count():
        found["searched"] = taken(lambda: picker.locator("[data-part=filter]").fill("7"))
        choices = picker.locator("[data-part=list] option")
        value = choices.nth(choices.count() // 2).get_attribute("value")
        found["chosen"] = taken(lambda: picker.locator("[data-part=list]").select_option(value))
    return found


def taken(act: Any) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def print_times(files: Sequence[Path]) -> bool:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit(f"There is no browser: none of {', '.join(BROWSERS)}.")
    in_time = True
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for file in files:
            page = browser.new_page()
            found = timed(page, file)
            told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found.items())
            in_time &= found["usable"] < SECONDS
            verdict = "within" if found["usable"] < SECONDS else "ABOVE"
            print(
                f"{file.name}, {file.stat().st_size / 1e6:.2f} MB: {told} ({verdict} {SECONDS} s)"
            )
        browser.close()
    return in_time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        in_time = print_times(files or [made_up(Path(folder))])
    sys.exit(not in_time)


if __name__ == "__main__":
    main()
