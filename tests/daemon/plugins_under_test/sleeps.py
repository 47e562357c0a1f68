"""A plugin that sleeps when it is asked what it thinks."""

import time

from vbotd.hookspecs import hookimpl


@hookimpl
def vbotd_judge(trial, history):
    time.sleep(3600)
