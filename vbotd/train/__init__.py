"""Training: the only part of vbotd that loads torch or mujoco, and only inside a worker process.

Shapes are written with these letters: `T` control steps of a rollout, `N` environments, `B` samples of a
minibatch, `O` observation size, `A` action size, `K` draws that fix an episode, `J` joints (12), `F` feet (4).
Frames are suffixes: `_w` world, `_b` base. A control step is one action; a physics step is one `mj_step`;
an env step is one control step of one environment; an iteration is one rollout and its update.
"""
