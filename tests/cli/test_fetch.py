import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anndata as ad
import numpy as np
import pytest
from cyclopts import App

from wildcell.cli.fetch import fetch
from wildcell.datasets.load import load_dataset
from wildcell.errors import DataError, StoreError, UnknownNameError

RECORD = "/api/records/10044268"
FILE = "NormanWeissman2019_filtered.h5ad"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setenv("WILDCELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    app = App(result_action="return_value", exit_on_error=False)
    app.command(fetch)
    return app


@pytest.fixture
def source(tmp_path):
    cells = ad.AnnData(np.random.default_rng(0).poisson(4, (44, 220)).astype("float32"))
    cells.obs["perturbation"] = ["control"] * 20 + ["KLF1"] * 12 + ["BAK1_KLF1"] * 12
    cells.write_h5ad(tmp_path / "source.h5ad")
    return tmp_path / "source.h5ad"


@pytest.fixture
def zenodo(source):
    """Serve the source as the record does; return the address, and what it may answer with."""
    content = source.read_bytes()
    entry = {"key": FILE, "checksum": f"md5:{hashlib.md5(content).hexdigest()}"}
    pages = {
        RECORD: json.dumps({"files": [entry]}).encode(),
        f"{RECORD}/files/{FILE}/content": content,
    }

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_data_set_is_downloaded_curated_and_then_known_by_its_name(app, zenodo, tmp_path, capsys):
    address, _ = zenodo

    app(["fetch", "norman2019", "--mirror", address])
    told = capsys.readouterr().out.splitlines()
    app(["fetch", "norman2019"])

    path = tmp_path / "cache" / "norman2019.h5ad"
    assert told[0].startswith(f"The checksum of {FILE} is what the repository states, md5:")
    assert told[-1] == f"Wrote {path}."
    assert capsys.readouterr().out == f"{path} is there already.\n"
    screen = load_dataset("norman2019")
    assert set(screen.conditions["perturbation"]) == {"KLF1", "BAK1+KLF1"}
    assert screen.metadata["source"] == f"{address}{RECORD}/files/{FILE}/content"


def test_a_wrong_checksum_leaves_no_data_set(app, zenodo, tmp_path):
    address, pages = zenodo
    pages[f"{RECORD}/files/{FILE}/content"] += b"!"

    with pytest.raises(StoreError, match="is not what the repository states"):
        app(["fetch", "norman2019", "--mirror", address])

    assert not (tmp_path / "cache" / "norman2019.h5ad").exists()
    with pytest.raises(DataError, match="run: wildcell fetch norman2019"):
        load_dataset("norman2019")


def test_offline_both_ways_to_bring_the_file_are_said(app, tmp_path):
    with pytest.raises(StoreError) as caught:
        app(["fetch", "norman2019", "--mirror", "http://127.0.0.1:1"])

    place = tmp_path / "cache" / "sources" / FILE
    assert f"http://127.0.0.1:1{RECORD} cannot be reached" in str(caught.value)
    assert f"as {place}, or run: wildcell fetch norman2019 --from FILE" in str(caught.value)


def test_offline_a_file_in_its_place_is_taken(app, source, tmp_path, capsys):
    place = tmp_path / "cache" / "sources" / FILE
    place.parent.mkdir(parents=True)
    place.write_bytes(source.read_bytes())

    app(["fetch", "norman2019", "--mirror", "http://127.0.0.1:1"])

    assert "it could not be compared" in capsys.readouterr().out
    assert load_dataset("norman2019").cells.n_obs == 44


def test_a_file_is_curated_into_another_cache_and_again_by_force(app, source, tmp_path, capsys):
    names = tmp_path / "names.csv"
    names.write_text("from,to\nKLF1,EKLF\n")
    command = ["fetch", "norman2019", "--from", str(source), "--cache", str(tmp_path / "other")]

    app(command)
    app(command)
    assert "is there already" in capsys.readouterr().out
    app([*command, "--force", "--gene-names", str(names)])

    screen = load_dataset(tmp_path / "other" / "norman2019.h5ad")
    assert set(screen.conditions["perturbation"]) == {"EKLF", "BAK1+EKLF"}
    assert "Renamed 1 perturbed genes" in capsys.readouterr().out


def test_an_unknown_name_is_refused(app):
    with pytest.raises(UnknownNameError, match="Did you mean 'norman2019'"):
        app(["fetch", "norman"])


def test_help_explains_every_option(app, capsys):
    app(["fetch", "--help"])

    told = capsys.readouterr().out
    for option in ("--from", "--cache", "--mirror", "--proxy", "--gene-names", "--force"):
        assert option in told


def test_a_file_of_another_screen_is_refused_without_advice_that_fetch_cannot_take(app, tmp_path):
    cells = ad.AnnData(np.random.default_rng(0).random((44, 220)).astype("float32"))
    cells.layers["counts"] = cells.X.round()
    cells.obs["perturbation"] = ["control"] * 20 + ["stim"] * 24
    cells.write_h5ad(tmp_path / "other.h5ad")

    with pytest.raises(DataError) as caught:
        app(["fetch", "norman2019", "--from", str(tmp_path / "other.h5ad")])

    said = str(caught.value)
    assert "is not what the recipe of norman2019 is made for (about 111,445 cells" in said
    assert "X does not hold counts" in said
    assert said.endswith("or make a data set of this one with: wildcell curate")
    assert "--" not in said
