"""The kill-anything test, for a user's own machine and disk: a scratch workspace, real processes, real signals."""
