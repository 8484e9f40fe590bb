r"""Write formulas as MathML when the book is built: browsers show it by themselves, no script is loaded.

latex2mathml does the work. It passes over much that it does not understand, so its result is checked: a reader should
see the formula that the author meant, and the author a warning otherwise.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import Converter
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
# Sphinx numbers a formula as a whole, so all of amsmath's aligned environments are the one that latex2mathml knows
# without numbers; an equation environment adds nothing.
ALIGNED = re.compile(r"\\(begin|end)\{(?:align|aligned|split|align\*)\}")
EQUATION = re.compile(r"\\(?:begin|end)\{equation\*?\}")
# Operators whose limits stand below and above in display, and which a browser moves beside them in a line of text.
WITH_LIMITS = {"∑", "∏", "max", "min", "sup", "inf", "lim", "arg\u2009max", "arg\u2009min"}
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}


def to_mathml(tex: str, display: str) -> str:
    r"""Convert a formula, or raise a ValueError that says what cannot be converted.

    >>> to_mathml(r"\eta", "inline")
    '<math display="inline"><mrow><mi>η</mi></mrow></math>'
    >>> to_mathml(r"\etta", "inline")
    Traceback (most recent call last):
    ...
    ValueError: unknown command or environment: \etta
    """
    bare = re.sub(r"\\.", "", tex)
    if bare.count("{") != bare.count("}"):
        raise ValueError("unbalanced braces")
    tex = ALIGNED.sub(r"\\\1{align*}", EQUATION.sub("", tex))
    try:
        math = ElementTree.fromstring(Converter(xmlns="", display=display).convert(tex))
    except Exception as error:  # latex2mathml's errors share no base class
        raise ValueError(f"{type(error).__name__} {error}".strip()) from error
    for element in math.iter():
        check(element)
        mend(element)
    return ElementTree.tostring(math, encoding="unicode")


def check(element):
    """Find what latex2mathml let pass without understanding it."""
    if "\\" in (element.text or ""):
        raise ValueError(f"unknown command or environment: {element.text}")
    if element.get("linebreak"):
        raise ValueError(r"\\ outside of a known environment")
    if len(element) != ARITY.get(element.tag, len(element)):
        raise ValueError(f"an argument is missing ({element.tag})")
    if element.tag == "mover" and len(element[0]) > 1 and element[-1].text == "¯":
        raise ValueError("a bar over several symbols, which browsers do not stretch")


def mend(element):
    """Space and place operators as TeX does."""
    if element.tag in LIMITS and element[0].text in WITH_LIMITS:
        element.tag = LIMITS[element.tag]
        element[0].set("movablelimits", "true")
    elif element.tag == "mo" and (element.text or "").isalpha() and element.text not in WITH_LIMITS:
        element.tag = "mi"  # \operatorname: no space before its bracket
    elif element.tag == "mo" and element.text in ("|", "‖") and not element.get("fence"):
        element.attrib.update(lspace="0", rspace="0", stretchy="false")
    elif element.tag == "mrow" and len(element) == 1 and element[0].tag == "mo" and element[0].text == ",":
        element[0].set("rspace", "0")  # 40{,}915


def converted(node: nodes.Node, display: str) -> str:
    try:
        return to_mathml(node.astext(), display)
    except ValueError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node, type="mathml")
        return ""


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(f"{converted(node, 'inline')}</span>")
    raise nodes.SkipNode


def visit_displaymath(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    # A box of its own, so that a wide formula scrolls and its number stays. The theme's script gives boxes of the
    # second class a tab stop where they scroll: the keyboard then reaches them.
    self.body.append(f'<div class="formula pst-scrollable-table-container">{converted(node, "block")}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    # A setting that changes with this file: Sphinx then writes all pages anew.
    app.add_config_value("mathml_code", Path(__file__).read_text(encoding="utf-8"), "html")
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
