"""A plugin that raises when it is asked what it thinks."""

from vbotd.hookspecs import hookimpl


@hookimpl
def vbotd_judge(trial, history):
    raise RuntimeError("I never liked this trial")
