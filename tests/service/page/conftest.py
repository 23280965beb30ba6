"""A real service around the tiny model, and a real browser that looks at it."""

import shutil
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from rcae.service.app import create_app
from rcae.service.limits import Limits
from rcae.service.served_model import load_models
from rcae.service.server import listen
from tests.conftest import until

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW_MS = 30_000


class Line:
    """The service as another program of the line sees it."""

    def __init__(self, url, parts, api_key=None):
        self.url, self._parts = url, parts
        self.client = httpx.Client(
            base_url=url, headers={"X-API-Key": api_key} if api_key else {}, timeout=60
        )

    def inspect(self, file="scratch/000.png", name=None):
        """Send a test image; the answer."""
        content = (self._parts / "test" / file).read_bytes()
        files = {"image": (name or file.split("/")[-1], content)}
        return (
            self.client.post("/api/models/parts/inspections", files=files).raise_for_status().json()
        )

    def inspect_many(self, count):
        """Send a good test image so many times at once."""
        content = (self._parts / "test/good/000.png").read_bytes()
        files = [("images", (f"{number}.png", content)) for number in range(count)]
        self.client.post("/api/models/parts/batches", files=files).raise_for_status()

    def inspection(self, inspection_id):
        return self.client.get(f"/api/inspections/{inspection_id}").raise_for_status().json()

    @property
    def model(self):
        return self.client.get("/api/models").raise_for_status().json()[0]

    def set_threshold(self, threshold):
        new = {"threshold": threshold, "author": "test", "reason": "a test"}
        self.client.put("/api/models/parts/threshold", json=new).raise_for_status()


@pytest.fixture
def serving(finished_run, parts, tmp_path):
    """Start a service with these options of `create_app`."""
    with ExitStack() as stack:

        def start(**options):
            record = Record.open(tmp_path / "inspections.sqlite")
            stack.callback(record.close)
            kept = KeptImages(tmp_path / "images", 100)
            models = load_models([finished_run], record, kept, Limits())
            app = create_app(models, record, kept, **options)
            listening = stack.enter_context(listen("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", log_level="error"))
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            until(lambda: server.started)  # a port that nobody listens at yet refuses
            line = Line(
                f"http://127.0.0.1:{listening.getsockname()[1]}/", parts, options.get("api_key")
            )
            stack.callback(line.client.close)
            return line

        yield start


@pytest.fixture
def line(serving):
    return serving()


@pytest.fixture(scope="package")
def browser():
    """One window for all tests: each has a service at a port of its own, so none sees another's storage."""
    reason = "playwright is not installed"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    playwright.expect.set_options(timeout=SLOW_MS)
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = launched.new_context()
        opened.set_default_timeout(SLOW_MS)
        yield opened
        launched.close()


@pytest.fixture
def look(browser):
    """Open the page of a service; at the end no script has failed and no other host was asked."""
    complaints, hosts, pages = [], set(), []

    def open_page(line, name="Anna", width=1280, height=800, colours="light"):
        page = browser.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        if name:
            page.add_init_script(f"localStorage.setItem('rcae-name', '{name}')")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.on("request", lambda request: hosts.add((urlsplit(request.url), line.url)))
        page.goto(line.url)
        return page

    yield open_page
    for page in pages:
        page.close()
    # The browser itself reports every refused request; those are answers that tests ask for.
    assert [one for one in complaints if "Failed to load resource" not in one] == []
    foreign = [
        url for url, own in hosts if url.scheme in ("http", "https") and url.netloc not in own
    ]
    assert foreign == []


@pytest.fixture
def page(look, line):
    """The page over two recorded parts, the newer one selected: good/001.png, scratch/000.png."""
    line.inspect("good/001.png")
    line.inspect("scratch/000.png")
    opened = look(line)
    opened.locator("#list li").nth(1).wait_for()
    return opened


@pytest.fixture
def modules(browser, line):
    """Where the page's modules can be imported, without the page."""
    opened = browser.new_page()
    opened.goto(f"{line.url}page/words.js")
    yield opened
    opened.close()
