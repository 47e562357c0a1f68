"""Talking to models: the only part of vbotd that does, and nothing else needs it."""
