"""A plugin that dies when it is asked what it thinks."""

import os

from vbotd.hookspecs import hookimpl


@hookimpl
def vbotd_judge(trial, history):
    os._exit(1)
