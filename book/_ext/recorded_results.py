"""Let prose pages say {{ results_table }} or {{ ledger_sizes }}: tables of recorded results, as of build time."""

from ssrlib import cards, ledger, scoreboard, status
from ssrlib.backend import import_keras

TABLES = {"results_table": scoreboard.results_table} | ledger.TABLES | cards.TABLES | status.TABLES


def setup(app):
    def substitute(app, config):
        import_keras()  # some tables count the parameters of networks
        config.myst_substitutions = config.myst_substitutions | {name: make() for name, make in TABLES.items()}

    app.connect("config-inited", substitute)
    return {"parallel_read_safe": True}
