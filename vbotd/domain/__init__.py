"""The nouns of vbotd: frozen values, standard library only, no behaviour beyond their own invariants."""
