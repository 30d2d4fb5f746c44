"""A leaderboard as static pages."""

from pathlib import Path

from wildcell.cli.progress import say


def site(results: Path, /, *, out: Path = Path("site"), title: str = "Leaderboard") -> None:
    """Write the pages of a leaderboard from a folder of results.

    An index that leads with the answers, and a page a model, a scenario, a data set and a metric.
    They need no server, no network, and no scripts but to sort and filter. The folder is held to
    its rules first; where something is wrong, nothing is written.

    Parameters
    ----------
    results
        Folder of results, as wildcell submit writes it.
    out
        Folder to write to: a new one, an empty one, or a site, which is replaced.
    title
        What stands above the pages.
    """
    from wildcell.cli.progress import working
    from wildcell.results.site.write import write_site
    from wildcell.submission.about import board_of
    from wildcell.submitted.read import read_results

    with working("writing the site"):
        n_pages = write_site(out, board_of(read_results(results)), title=title)
    say(f"Wrote {n_pages} pages; the first is {out / 'index.html'}")
