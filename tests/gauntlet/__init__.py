"""The gauntlet: everything that can go wrong made to go wrong, and a scoreboard of what came of it. `make gauntlet`."""
