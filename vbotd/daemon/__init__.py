"""The supervisor: one loop that sees, decides, commits and acts. Loads no torch, no mujoco and no plugin."""
