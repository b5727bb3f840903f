"""Templates to pages. Everything a template is given is escaped; nothing is fetched or run."""

import base64
import functools
import hashlib
import importlib.resources

import jinja2

TEMPLATES = "medr_jax.pages"


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(TEMPLATES, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def shipped_style(name: str) -> str:
    """A style sheet that is shipped with the package."""
    folder = importlib.resources.files(TEMPLATES) / "templates"
    return (folder / name).read_text(encoding="utf-8")


def stylesheet() -> str:
    """The style sheet of every page."""
    return shipped_style("style.css")


def content_security_policy(style: str) -> str:
    """Allows exactly this inline style and nothing else: no script, image, font or address."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def render(template: str, *, extra_style: str = "", **context: object) -> str:
    """A whole page from ``templates/<template>``; a name missing from ``context`` raises.

    ``extra_style`` is CSS of our own making that follows the style sheet: nothing from outside
    may stand in it, for it is not escaped.

    Characters that no HTML page may hold (NUL and other controls, lone surrogates) are
    replaced by U+FFFD, whatever text they came from.
    """
    style = stylesheet() + extra_style
    page = (
        _environment()
        .get_template(template)
        .render(
            style=jinja2.utils.markupsafe.Markup(style),
            policy=content_security_policy(style),
            **context,
        )
    )
    return page.translate(_FORBIDDEN)


_FORBIDDEN = {
    code: "\ufffd"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
    if chr(code) not in "\t\n\r"
}
