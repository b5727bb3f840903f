"""The ``web_search`` and ``web_read`` tools: clients of services that the user configures."""

import html.parser
import os
import urllib.parse
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from medr_jax.retrieval.analysis import plain
from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.tools.hosting_sites import is_hosting_site
from medr_jax.tools.schema import parameters_of
from medr_jax.tools.web_client import WebConfig, WebError, fetch
from medr_jax.types import Hit

MAX_QUERY_CHARS = 2000
MAX_URL_CHARS = 2000
_SNIPPET_WORDS = 60
_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "head"})
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "mark", "small", "span", "strong", "sub"})


class ServiceError(RuntimeError):
    """The user's search service does not work: our side, not the model's doing."""


class WebSearchTool:
    """Hits of a web search service, in its order, those on sites with benchmarks left out.

    ``benchmark_sites`` keeps them: for whatever neither trains nor tests.
    """

    name = "web_search"
    description = "Search the web. Returns pages with their addresses."

    def __init__(self, config: WebConfig, *, num_hits: int, benchmark_sites: bool = False) -> None:
        self._config = config
        self._benchmark_sites = benchmark_sites
        self._num_hits = num_hits
        self.parameters = parameters_of(self.__call__)

    def __call__(
        self,
        query: Annotated[
            str,
            Meta(description="what to search for", min_length=1, max_length=MAX_QUERY_CHARS),
        ],
    ) -> ToolOutput:
        """Raises ServiceError when the service fails: there is never a made-up hit."""
        config = self._config
        url = config.search_url.replace("{query}", urllib.parse.quote(plain(query), safe=""))
        token = os.environ.get(config.token_variable, "") if config.token_variable else ""
        try:
            page = fetch(
                url,
                config,
                token=token,
                allow_private=config.private_service,
                benchmark_sites=True,  # of the user's own service
            )
            answer = msgspec.json.decode(page.body)
        except (WebError, msgspec.DecodeError) as error:
            raise ServiceError(f"web search: {error}") from error
        results = answer.get(config.results_field) if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise ServiceError(f"web search: no list {config.results_field!r} in the answer")
        hits = [hit for result in results if (hit := self._hit(result))]
        return ToolOutput(hits=tuple(hits[: self._num_hits]))

    def _hit(self, result: Any) -> Hit | None:
        if not isinstance(result, dict) or not isinstance(result.get(self._config.url_field), str):
            return None
        url = plain(result[self._config.url_field])
        if is_hosting_site(url) and not self._benchmark_sites:
            return None
        title, text = (
            plain(str(result.get(field) or ""))
            for field in (self._config.title_field, self._config.text_field)
        )
        return Hit(doc_id=url, title=title or url, kind="web", snippet=_first(text, _SNIPPET_WORDS))


class WebReadTool:
    """The text of a web page, up to a number of words, as one hit.

    Pages of sites that carry benchmarks are refused, unless ``benchmark_sites``.
    """

    name = "web_read"
    description = "Read a web page. Takes its address."

    def __init__(self, config: WebConfig, *, max_words: int, benchmark_sites: bool = False) -> None:
        self._config = config
        self._benchmark_sites = benchmark_sites
        self._max_words = max_words
        self.parameters = parameters_of(self.__call__)

    def __call__(
        self,
        url: Annotated[
            str, Meta(description="address of the page", min_length=1, max_length=MAX_URL_CHARS)
        ],
    ) -> ToolOutput:
        """Raises WebError, which the model is told, when there is no text to be had."""
        page = fetch(url.strip(), self._config, benchmark_sites=self._benchmark_sites)
        if page.content_type in ("text/html", "application/xhtml+xml"):
            title, text = text_of_html(page.text)
        elif page.content_type.startswith("text/") or page.content_type == "application/json":
            title, text = "", page.text
        else:
            raise WebError(f"the page is {page.content_type}; only text and HTML can be read")
        text = plain(text)
        if not text:
            raise ToolError("the page holds no text")
        hit = Hit(
            doc_id=page.url,
            title=plain(title) or page.url,
            kind="web",
            snippet=_first(text, self._max_words),
        )
        return ToolOutput(hits=(hit,))


class _Reader(html.parser.HTMLParser):
    """Collects the title and what a reader would see."""

    def __init__(self) -> None:
        super().__init__()
        self.title: list[str] = []
        self.shown: list[str] = []
        self._unseen: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self._in_title = tag == "title"
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "body":
            self._unseen.clear()  # a head that was never closed
        if tag not in _INLINE:
            self.shown.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        if tag not in _INLINE:
            self.shown.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._unseen:
            self.shown.append(data)


def text_of_html(source: str) -> tuple[str, str]:
    """Title and visible text of a page; markup that is broken is read as far as it goes."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return " ".join("".join(reader.title).split()), " ".join("".join(reader.shown).split())


def _first(text: str, max_words: int) -> str:
    words = text.split()
    return " ".join(words) if len(words) <= max_words else " ".join([*words[:max_words], "..."])
