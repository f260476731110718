"""Passes over all patches of a scene: what lies between a scene state and the next.

`steps` is the way in. This file stays empty: a patch's hash counts the code that its own worker imports.
"""
