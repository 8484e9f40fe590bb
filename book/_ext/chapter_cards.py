"""A card below the title of each notebook's page: what to read before, which data, what it takes, and when it last ran.

What to read and the data stand in the notebook's metadata, time and memory in the record `results/executions`, and the
last run is that of this build, as myst-nb keeps it.
"""

import datetime
import json
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx import addnodes
from sphinx.util import logging

from ssrlib import provenance, records, status

logger = logging.getLogger(__name__)


def describe(metadata, takes, execution, versions):
    """List what a card says.

    Parameters
    ----------
    metadata : dict
        The notebook's `ssrnet`: `needs`, a list of pages, and `data`, a phrase.
    takes : str or None
        Recorded time and memory, from `status.needs_of`.
    execution : dict or None
        This build's, as myst-nb has it: `mtime` and `runtime` in seconds, `succeeded`.
    versions : dict of str
        From `provenance.library_versions`.

    Returns
    -------
    list of (str, str or list of str)
        Names, and what stands beside them; a list names pages.

    Examples
    --------
    >>> describe({"data": "drawn faces", "needs": []}, "48 s on 2 cores", None, {})
    [('Read before', 'nothing'), ('Data', 'drawn faces'), ('Takes', '48 s on 2 cores')]
    """
    rows = [("Read before", metadata["needs"] or "nothing"), ("Data", metadata["data"])]
    if takes:
        rows.append(("Takes", takes))
    if execution and execution["succeeded"]:
        day = datetime.datetime.fromtimestamp(execution["mtime"], datetime.UTC)
        took = status.duration(execution["runtime"])
        rows.append(("Last run", f"{day.day} {day:%B %Y} in {took}, with {status.name_versions(versions)}"))
    return rows


def links(pages, docname):
    """Write links to pages, which Sphinx turns into their titles."""
    for number, page in enumerate(pages):
        if number:
            yield nodes.Text(", ")
        yield addnodes.pending_xref(
            "", nodes.inline(), refdomain="std", reftype="doc", reftarget=f"/{page}", refdoc=docname, refexplicit=False
        )


def make_card(rows, docname):
    """Turn what a card says into a list of definitions."""
    card = nodes.definition_list(classes=["chapter-card"])
    for name, told in rows:
        told = [nodes.Text(told)] if isinstance(told, str) else links(told, docname)
        card += nodes.definition_list_item(
            "", nodes.term("", name), nodes.definition("", nodes.paragraph("", "", *told))
        )
    return card


def add_card(app, doctree):
    env, docname = app.env, app.env.docname
    path = Path(env.doc2path(docname))
    if path.suffix != ".ipynb":
        return
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("ssrnet")
    if metadata is None:
        logger.warning("The notebook's metadata has no `ssrnet` (needs, data) for its card.", location=docname)
        return
    env.note_dependency(str(records.results_folder() / "executions" / "table.csv"))
    execution = NbMetadataCollector.get_exec_data(env, docname)
    rows = describe(metadata, status.needs_of(path.stem), execution, provenance.library_versions())
    doctree.next_node(nodes.title).parent.insert(1, make_card(rows, docname))


def setup(app):
    app.connect("doctree-read", add_card)
    return {"parallel_read_safe": True}
