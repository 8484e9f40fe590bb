"""Let prose pages say {{ results_table }}: the table of recorded results, as `results/` has it at build time."""

from ssrlib import records


def setup(app):
    def substitute(app, config):
        config.myst_substitutions = config.myst_substitutions | {"results_table": records.results_table()}

    app.connect("config-inited", substitute)
    return {"parallel_read_safe": True}
