"""Sites that carry benchmarks or papers about them: an agent that is tested must not read them."""

from urllib.parse import urlsplit

HOSTING_SITES = (
    "huggingface.co", "hf.co", "hf-mirror.com", "github.com", "githubusercontent.com", "gitlab.com",
    "kaggle.com", "zenodo.org", "paperswithcode.com", "modelscope.cn", "arxiv.org",
    "openreview.net", "xbench.org", "pubmedqa.github.io",
)  # fmt: skip


def is_hosting_site(url: str) -> bool:
    """Whether the address lies on one of the sites, in whatever spelling a resolver accepts."""
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return False
    host = _ascii(host).lower().rstrip(".")
    return any(host == site or host.endswith(f".{site}") for site in HOSTING_SITES)


def _ascii(host: str) -> str:
    """As a name server is asked for it: wide letters and other full stops are folded."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:  # no name that can be resolved
        return host
