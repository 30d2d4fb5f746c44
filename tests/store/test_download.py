"""Downloads from a repository on the loopback, which can cut connections and lie."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wildcell.errors import StoreError
from wildcell.store.download import cache_folder, download
from wildcell.store.repository import (
    Connection,
    FigshareFile,
    UnreachableError,
    WebFile,
    ZenodoFile,
    reason_of,
)

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT).hexdigest()
FILE = ZenodoFile("7", "cells of 2020.h5ad")
CONTENT_PATH = "/api/records/7/files/cells%20of%202020.h5ad/content"


class Repository:
    """What a server has, how it behaves, and what it was asked."""

    def __init__(self):
        self.pages = {}
        self.cut_after = []  # bytes to send of each answer, one after the other
        self.honours_range = True
        self.statuses = []  # what to answer instead, one after the other
        self.asked = []
        self.address = ""

    def publish(self, content=CONTENT, md5=MD5):
        files = [{"key": FILE.name, "checksum": f"md5:{md5}"}, {"key": "b", "checksum": "md5:0"}]
        self.pages["/api/records/7"] = json.dumps({"files": files}).encode()
        self.pages[CONTENT_PATH] = content

    def n_asked(self, path=CONTENT_PATH):
        return [asked for asked, _ in self.asked].count(path)


def handler_of(repository):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            repository.asked.append((self.path, wanted))
            if self.path not in repository.pages:
                self.answer(404, b"")
                return
            if repository.statuses and "api/records/7/files" in self.path:
                self.answer(repository.statuses.pop(0), b"wait")
                return
            body = repository.pages[self.path]
            if wanted and repository.honours_range:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                else:
                    span = f"bytes {start}-{len(body) - 1}/{len(body)}"
                    self.answer(206, body[start:], {"Content-Range": span})
            else:
                self.answer(200, body)

        def answer(self, status, body, headers=None):
            self.send_response(status)
            for name, value in {"Content-Length": len(body), **(headers or {})}.items():
                self.send_header(name, str(value))
            self.end_headers()
            is_cut = repository.cut_after and status in {200, 206} and "content" in self.path
            n_sent = repository.cut_after.pop(0) if is_cut else len(body)
            self.wfile.write(body[:n_sent])
            if is_cut:
                self.close_connection = True

    return Handler


@contextmanager
def serving(repository):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(repository))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    repository.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield repository
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def repository(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Repository()) as made:
        made.publish()
        yield made


def connect(repository, **options):
    return Connection(mirror=repository.address, pause_s=0.001, **options)


def bring(repository, folder, file=FILE, **options):
    return download(file, folder, connection=connect(repository), **options)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_brought_and_verified_by_what_the_repository_states(repository, tmp_path):
    told = []

    done = bring(repository, tmp_path, on_progress=lambda n, total: told.append((n, total)))

    assert done.path.read_bytes() == CONTENT
    assert done.checksum == f"md5:{MD5}"
    assert done.is_verified
    assert done.url == repository.address + CONTENT_PATH
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert visible(tmp_path) == [FILE.name]


def test_a_file_that_is_there_is_not_brought_again(repository, tmp_path):
    bring(repository, tmp_path)

    assert bring(repository, tmp_path).is_verified
    assert repository.n_asked() == 1


def test_a_file_put_there_by_hand_is_verified(repository, tmp_path):
    (tmp_path / FILE.name).write_bytes(CONTENT)
    assert bring(repository, tmp_path).is_verified

    (tmp_path / FILE.name).write_bytes(b"something else")
    with pytest.raises(StoreError, match=r"is not the file of the repository.*Delete it"):
        bring(repository, tmp_path)
    assert repository.n_asked() == 0


def test_a_connection_that_is_cut_is_gone_on_with(repository, tmp_path):
    repository.cut_after = [600_000, 300_000]

    done = bring(repository, tmp_path)

    assert done.path.read_bytes() == CONTENT
    ranges = [wanted for path, wanted in repository.asked if path == CONTENT_PATH]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert ranges[2] > ranges[1] > "bytes=5"
    assert visible(tmp_path) == [FILE.name]


def test_a_server_that_ignores_ranges_is_asked_from_the_beginning(repository, tmp_path):
    repository.cut_after = [1_000_000]
    repository.honours_range = False

    assert bring(repository, tmp_path).path.read_bytes() == CONTENT
    assert repository.n_asked() == 2


def test_what_came_before_the_connection_died_is_kept_for_the_next_start(repository, tmp_path):
    repository.cut_after = [600_000, 0, 0, 0, 0, 0]
    with pytest.raises(UnreachableError, match="was cut off"):
        bring(repository, tmp_path)
    [part] = visible(tmp_path)
    assert part == f"{FILE.name}.part"
    n_there = (tmp_path / part).stat().st_size
    assert 0 < n_there <= 600_000

    repository.asked.clear()
    assert bring(repository, tmp_path).path.read_bytes() == CONTENT
    assert (CONTENT_PATH, f"bytes={n_there}-") in repository.asked


def test_a_part_that_is_all_of_it_is_taken(repository, tmp_path):
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT)

    assert bring(repository, tmp_path).is_verified


@pytest.mark.parametrize("n_bytes", [5_000, len(CONTENT), len(CONTENT) + 1])
def test_a_part_of_another_file_is_not_gone_on_with(repository, tmp_path, n_bytes):
    (tmp_path / f"{FILE.name}.part").write_bytes(b"x" * n_bytes)

    assert bring(repository, tmp_path).path.read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(repository, tmp_path):
    repository.publish(content=CONTENT[:-1] + b"!")

    with pytest.raises(StoreError, match=rf"is not what the repository states, md5:{MD5}"):
        bring(repository, tmp_path)

    assert visible(tmp_path) == []


def test_a_file_that_is_not_in_the_record_is_named_with_those_that_are(repository, tmp_path):
    with pytest.raises(StoreError, match=r"has no file 'c.h5ad'; it lists b, cells of 2020"):
        bring(repository, tmp_path, ZenodoFile("7", "c.h5ad"))


def test_a_record_that_does_not_exist_is_said_with_its_address(repository, tmp_path):
    with pytest.raises(StoreError, match=r"/api/records/8 does not exist \(404\)"):
        bring(repository, tmp_path, ZenodoFile("8", "a.h5ad"))

    del repository.pages[CONTENT_PATH]
    with pytest.raises(StoreError, match=r"/content does not exist \(404\)"):
        bring(repository, tmp_path)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"files": [{"name": "a"}]}'])
def test_what_is_no_api_is_said(repository, tmp_path, answer):
    repository.pages["/api/records/7"] = answer

    with pytest.raises(StoreError, match="is this the API"):
        bring(repository, tmp_path)


def test_a_busy_server_is_asked_again(repository, tmp_path):
    repository.statuses = [503, 429]

    assert bring(repository, tmp_path).is_verified


@pytest.mark.parametrize("status", [202, 403])
def test_a_server_that_turns_programs_away_is_not_asked_again(repository, tmp_path, status):
    repository.statuses = [status]

    with pytest.raises(StoreError, match=rf"answered {status}.*a browser"):
        bring(repository, tmp_path)
    assert repository.n_asked() == 1
    assert visible(tmp_path) == []


def closed_address():
    with serving(Repository()) as made:
        return made.address


def test_offline_the_address_and_the_place_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address = closed_address()

    with pytest.raises(UnreachableError) as caught:
        download(FILE, tmp_path, connection=Connection(mirror=address))

    assert f"{address}/api/records/7 cannot be reached" in str(caught.value)
    by_hand = "https://zenodo.org/records/7/files/cells%20of%202020.h5ad"
    assert f"save {by_hand} as {tmp_path / FILE.name}" in str(caught.value)


def test_offline_a_file_that_was_put_there_is_taken_unverified(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / FILE.name).write_bytes(CONTENT)

    done = download(FILE, tmp_path, connection=Connection(mirror=closed_address()))

    assert not done.is_verified
    assert done.checksum == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_proxy_is_asked_in_place_of_the_repository(repository, tmp_path):
    proxied = "http://example.invalid"
    for path in ["/api/records/7", CONTENT_PATH]:
        repository.pages[proxied + path] = repository.pages.pop(path)

    done = download(FILE, tmp_path, connection=Connection(mirror=proxied, proxy=repository.address))

    assert done.is_verified
    assert repository.n_asked(proxied + CONTENT_PATH) == 1


def test_figshare_states_a_checksum_in_its_article(repository, tmp_path):
    files = [{"id": 34, "name": "a.h5ad", "computed_md5": MD5}]
    repository.pages["/v2/articles/12"] = json.dumps({"files": files}).encode()
    repository.pages["/ndownloader/files/34"] = CONTENT

    done = bring(repository, tmp_path, FigshareFile("12", "34", "a.h5ad"))

    assert done.path == tmp_path / "a.h5ad"
    assert done.is_verified


def test_without_a_checksum_what_came_is_recorded_and_old_parts_are_not_trusted(
    repository, tmp_path
):
    repository.pages["/suppl/a.h5ad?x=1"] = CONTENT
    (tmp_path / "a.h5ad.part").write_bytes(b"x" * 10)

    done = bring(
        repository, tmp_path, WebFile("https://example.invalid/suppl/a.h5ad?x=1", "a.h5ad")
    )

    assert done.checksum == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert not done.is_verified
    assert repository.asked == [("/suppl/a.h5ad?x=1", None)]


def test_two_that_want_one_file_bring_it_once(repository, tmp_path):
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(bring(repository, tmp_path))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 3
    assert repository.n_asked() == 1


def test_a_folder_that_cannot_be_made_is_said(repository, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match="cannot be made or written"):
        bring(repository, tmp_path / "file" / "cache")


def test_the_cache_is_what_is_given_or_said_or_the_platforms(monkeypatch):
    monkeypatch.setenv("WILDCELL_CACHE", "/said")
    assert cache_folder(Path("/given")) == Path("/given")
    assert cache_folder() == Path("/said")
    monkeypatch.delenv("WILDCELL_CACHE")
    assert cache_folder().name == "wildcell"


def test_the_cause_of_a_failed_request_closes_its_brackets():
    told = "HTTPSConnection(host='h', port=443): Failed to resolve 'h' ([Errno -2] Not known)"
    assert reason_of(OSError(told)) == "OSError: Failed to resolve 'h' ([Errno -2] Not known)"
    assert reason_of(OSError(f"('Broken', OSError({told!r}))")).count(")") == 1
