"""vbotd: reinforcement-learning campaigns for a quadruped, run overnight and judged honestly."""

__version__ = "0.1.0"
