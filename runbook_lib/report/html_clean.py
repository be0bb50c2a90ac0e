"""HTML that came out of a notebook, made harmless; tables keep what pandas gave them."""

from __future__ import annotations

import re

__all__ = ["clean_html"]

TAGS = frozenset(
    """
    a abbr b blockquote br caption center code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3
    h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody td
    tfoot th thead time tr tt u ul var
    """.split()  # noqa: SIM905  a list would take a line a word
)
# Enough for tables, coloured cells and boxes; nothing that fetches, hides the page or lays itself over it.
STYLES = frozenset(
    """
    background background-color border border-bottom border-collapse border-color border-left border-radius
    border-right border-spacing border-style border-top border-width color display font-family font-size font-
    style font-variant font-weight height letter-spacing line-height list-style margin margin-bottom margin-left
    margin-right margin-top max-height max-width min-width opacity overflow overflow-x padding padding-bottom
    padding-left padding-right padding-top text-align text-decoration text-transform vertical-align white-space
    width word-break
    """.split()  # noqa: SIM905  a list would take a line a word
)
STYLE_ELEMENT = re.compile(r"<style[^>]*>(.*?)</style\s*>", re.IGNORECASE | re.DOTALL)
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
# pandas writes its colours as rules on ids of its own making; any other selector could reach the rest of the page.
PANDAS_SELECTOR = re.compile(r"#T_[\w-]+(?:[\s>.:#][\w\s>.:#()-]*)?")


def clean_html(text: str) -> str:
    """The fragment without scripts, handlers, frames, forms and anything fetched from elsewhere."""
    import nh3

    styles = "".join(_rules(found) for found in STYLE_ELEMENT.findall(text))
    cleaned = nh3.clean(
        text,
        tags=set(TAGS),
        clean_content_tags={"script", "style", "iframe", "object", "embed", "noscript", "template", "svg", "math"},
        attributes={
            "*": {"class", "id", "style", "title", "colspan", "rowspan", "align", "valign", "lang", "dir", "border"},
            "a": {"href", "name"},
            "img": {"src", "alt", "width", "height"},
            "ol": {"start"},
            "td": {"headers"},
            "th": {"scope"},
        },
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        filter_style_properties=set(STYLES),
    )
    return f"<style>{styles}</style>{cleaned}" if styles else cleaned


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        # Pictures come with the page or not at all.
        return value if value.startswith("data:image/") else None
    if name == "href" and value.lower().lstrip().startswith("data:"):
        return None
    if name == "style" and _fetches(value):
        return None
    return value


def _rules(css: str) -> str:
    kept = []
    for selectors, declarations in RULE.findall(css):
        if not all(PANDAS_SELECTOR.fullmatch(selector.strip()) for selector in selectors.split(",")):
            continue
        wanted = [part for part in declarations.split(";") if part.partition(":")[0].strip().lower() in STYLES]
        if not any(_fetches(part) for part in wanted):
            kept.append(f"{selectors.strip()}{{{';'.join(part.strip() for part in wanted)}}}")
    return "\n".join(kept)


def _fetches(css: str) -> bool:
    return any(word in css.lower() for word in ("url(", "image(", "expression", "@", "\\", "<"))
