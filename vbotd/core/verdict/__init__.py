"""Is one setting better than another, or was it the seed? The run is the unit; pairs share seed and episodes.

`noise` says how far runs of one setting lie apart, `contest` compares two settings pair by pair, `looks` lets that be
done again as pairs come in, `jointly` says how large the largest of several leads is by luck, `ruling` makes a verdict
of it, `claims` finds the settings to compare in a campaign, `lengths` says how far a trial was trained when it had a
score, `shrinkage` says what a chosen score is worth before any of this, `words` says it all in sentences.
`bench/nights.py` measures how often the verdicts are wrong.
"""
