"""An independent judge of the lake: semantics of the history in plain Python, nothing of the
engine.
"""
