"""Entries of the bibliography as items of a list: docutils' role for them is deprecated, and breaks the list.

A list's children must be list items, or a screen reader tells neither where the list is nor how long it is.
"""

from docutils import nodes


def visit_citation(self, node):
    type(self).visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def depart_citation(self, node):
    type(self).depart_citation(self, node)


def setup(app):
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
